"""Whether a load has measured the nodes, or its own clients, or the machine. Decided from values
alone."""

from __future__ import annotations

from collections.abc import Iterator

from clusterlib.frozen import frozen
from clusterlib.load.results import Limiting, LoadLimit

__all__ = ["Effort", "limits_of"]

BUSY = 0.85
"""Of a processor. A Python process cannot use more than one."""
LATE = 0.01
"""Seconds. Clients that were idle should begin at the intended time."""
OWN = 0.5
"""Of the latency of a command."""
SHORT = 0.95
"""Of the rate that was asked for."""


@frozen
class Effort:
    """What the load took, besides what it measured."""

    clients_cpu: tuple[float, ...]
    """For each process of clients, its share of one processor."""
    late: float
    """Seconds by which 99 % of the idle clients were less late than this."""
    wanted: float | None
    """Requests a second, if a rate was given."""
    sent: float
    nodes: int
    """Processes of nodes."""
    processors: float
    simulated: bool
    lost: int = 0
    """Processes of clients that ended early."""
    commands: int = 0
    """Commands that run at the same time, if each request is one."""
    command_share: float = 0.0
    """The processor time of a command, as a part of its latency."""


def limits_of(effort: Effort) -> tuple[LoadLimit, ...]:
    return tuple(_limits(effort))


def _limits(effort: Effort) -> Iterator[LoadLimit]:
    busiest = max(effort.clients_cpu, default=0.0)
    processes = len(effort.clients_cpu)
    if effort.lost:
        yield LoadLimit(
            Limiting.CLIENT,
            f"{_counted(effort.lost, 'process', 'of clients')} ended early, and what it had not yet "
            "reported is missing",
        )
    if busiest >= BUSY:
        yield LoadLimit(
            Limiting.CLIENT,
            f"a process of clients used {busiest:.0%} of a processor, so the nodes may be able to do more; "
            f"--processes {processes + 1} divides the clients among more processes",
        )
    elif effort.late >= LATE:
        yield LoadLimit(
            Limiting.CLIENT,
            f"idle clients began up to {effort.late * 1000:.0f} ms late (99 %), which is part of the latency",
        )
    if effort.wanted is not None and effort.sent < SHORT * effort.wanted:
        yield LoadLimit(
            Limiting.CLIENT,
            f"{effort.sent:.0f} requests a second were sent instead of {effort.wanted:.0f}: all clients were "
            "waiting for answers; more --clients would send them",
        )
    if effort.command_share >= OWN:
        yield LoadLimit(
            Limiting.CLIENT,
            f"{min(effort.command_share, 1.0):.0%} of the latency is processor time of the command itself, "
            "which is started for each request",
        )
    if effort.nodes + processes + effort.commands > effort.processors:
        commands = f", and {_counted(effort.commands, 'command', '')}" if effort.commands else ""
        yield LoadLimit(
            Limiting.MACHINE,
            f"{_counted(effort.nodes, 'process', 'of nodes')} and {_counted(processes, 'process', 'of clients')}"
            f"{commands} share {effort.processors:g} processors, so more nodes cannot show more throughput",
        )
    if effort.simulated:
        yield LoadLimit(Limiting.SIMULATED, "simulated nodes share one process, and have no network")


def _counted(count: int, what: str, of: str) -> str:
    plural = "es" if what.endswith("s") else "s"
    return f"{count} {what}{'' if count == 1 else plural} {of}".rstrip()
