"""The kinds of nodes by name. Nothing of them is imported before it is needed: clients read this, too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlib.drivers.calls import NodeCalls
from clusterlib.errors import UsageError
from clusterlib.frozen import frozen

if TYPE_CHECKING:
    from clusterlib.drivers.api import Driver
    from clusterlib.drivers.planning import Planned
    from clusterlib.hosts.api import Host
    from clusterlib.messages.findings import Finding
    from clusterlib.profiles import ResolvedProfile

__all__ = ["PRELOAD", "NodeKind", "calls_of", "driver_named", "kind_of"]

PRELOAD = ("clusterlib.runtime.node",)
"""What the warm process imports once, so that no node has to."""


def _python(server: Mapping[str, Any], host: Host) -> Driver:  # noqa: ARG001 - the embedded node needs neither
    from clusterlib.drivers.python.driver import PythonDriver

    return PythonDriver()


def _command(server: Mapping[str, Any], host: Host) -> Driver:
    from clusterlib.drivers.command.driver import CommandDriver

    return CommandDriver(server, host)


def _beam(server: Mapping[str, Any], host: Host) -> Driver:  # noqa: ARG001 - it runs no commands
    from clusterlib.drivers.beam.driver import BeamDriver, BeamSettings

    return BeamDriver(BeamSettings.of(server))


def _python_calls() -> type[NodeCalls]:
    from clusterlib.drivers.python.calls import PythonCalls

    return PythonCalls


def _beam_calls() -> type[NodeCalls]:
    from clusterlib.drivers.beam.calls import BeamCalls

    return BeamCalls


def _command_settings(planned: Planned) -> dict[str, Any]:
    from clusterlib.drivers.command.planning import settings

    return settings(planned)


def _command_environment(planned: Planned) -> dict[str, str]:
    from clusterlib.drivers.command.planning import environment

    return environment(planned)


def _beam_settings(planned: Planned) -> dict[str, Any]:
    from clusterlib.drivers.beam.planning import settings

    return settings(planned)


def _beam_preflight(
    resolved: ResolvedProfile, project: Path, programs: Mapping[str, Path]
) -> Iterable[Finding]:
    from clusterlib.drivers.beam.planning import preflight

    return preflight(resolved, project, programs)


@frozen
class NodeKind:
    """A kind of nodes: what the keeper does with them, what clients do, and what is made of a profile for them."""

    driver: Callable[[Mapping[str, Any], Host], Driver]
    calls: Callable[[], type[NodeCalls]] = lambda: NodeCalls
    settings: Callable[[Planned], dict[str, Any]] = lambda _: {}
    """What the driver is given of the profile."""
    environment: Callable[[Planned], dict[str, str]] = lambda _: {}
    """Variables that each node has besides those of the profile."""
    preflight: Callable[[ResolvedProfile, Path, Mapping[str, Path]], Iterable[Finding]] = lambda *_: ()
    """Whether such nodes can run on this machine."""


_KINDS = {
    "python": NodeKind(_python, _python_calls),
    "command": NodeKind(_command, settings=_command_settings, environment=_command_environment),
    "beam": NodeKind(_beam, _beam_calls, settings=_beam_settings, preflight=_beam_preflight),
}


def kind_of(name: str) -> NodeKind:
    if name not in _KINDS:
        raise UsageError(
            f"there is no driver {name!r}", remedies=[f"use one of: {', '.join(sorted(_KINDS))}"]
        )
    return _KINDS[name]


def driver_named(name: str, server: Mapping[str, Any], host: Host) -> Driver:
    """The driver of that name; `server` is what the plan says about its program, `host` runs its commands."""
    return kind_of(name).driver(server, host)


def calls_of(name: str) -> type[NodeCalls]:
    """What clients can do with the nodes of that driver."""
    return kind_of(name).calls()
