"""What a load has measured."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from clusterlib.frozen import frozen
from clusterlib.load.histogram import Counts, Histogram

__all__ = [
    "Latency",
    "Limiting",
    "LoadFault",
    "LoadLimit",
    "LoadLoop",
    "LoadRow",
    "LoadSecond",
    "LoadedUsage",
]

NANOSECONDS = 1e9


class LoadLoop(StrEnum):
    CLOSED = "closed"
    """Each client sends its next request when the last one is answered."""
    OPEN = "open"
    """Requests begin at a given rate. Latency counts from the intended begin."""


@frozen
class Latency:
    """Seconds."""

    mean: float
    p50: float
    p90: float
    p99: float
    p999: float
    most: float

    @staticmethod
    def of(histogram: Histogram) -> Latency | None:
        """None without values."""
        if not histogram.count:
            return None
        return Latency(
            *(
                round(value / NANOSECONDS, 9)
                for value in (
                    histogram.mean,
                    *(histogram.percentile(percent) for percent in (50, 90, 99, 99.9)),
                    histogram.most,
                )
            )
        )


@frozen
class LoadedUsage:
    """What a node used during a load."""

    memory: int
    """Bytes, at most."""
    cpu: float
    """Processors, on average."""


@frozen
class LoadFault:
    """A node broke or came back during a load."""

    second: float
    node: str
    what: str


@frozen
class LoadRow:
    """A node, or all of them."""

    node: str
    clients: int
    requests: int
    """Those that were answered without an error."""
    errors: Mapping[str, int]
    """By kind."""
    throughput: float
    """Requests a second that were answered without an error."""
    latency: Latency | None
    corrected: Latency | None
    """Of a closed loop: with the requests that its clients did not send while they waited for a
    slow answer. An open loop needs no correction."""
    histogram: Counts
    usage: LoadedUsage | None = None
    """None for the total, and where it could not be measured."""

    @property
    def failed(self) -> int:
        return sum(self.errors.values())


@frozen
class LoadSecond:
    """What happened in one second."""

    second: int
    requests: int
    errors: int
    p50: float
    p99: float


class Limiting(StrEnum):
    CLIENT = "client"
    MACHINE = "machine"
    SIMULATED = "simulated"


@frozen
class LoadLimit:
    """Why the figures say less about the nodes than they seem to."""

    by: Limiting
    reason: str
