"""The drivers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clusterlib.drivers.api import Driver
from clusterlib.drivers.calls import NodeCalls
from clusterlib.drivers.python.driver import PRELOAD, PythonDriver
from clusterlib.errors import UsageError
from clusterlib.frozen import frozen
from clusterlib.hosts.api import Host

__all__ = ["PRELOAD", "calls_of", "driver_named"]


def _python(server: Mapping[str, Any], host: Host) -> Driver:  # noqa: ARG001 - the embedded node needs neither
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


@frozen
class NodeKind:
    """A kind of nodes: what the keeper does with them, and what clients do."""

    driver: Callable[[Mapping[str, Any], Host], Driver]
    calls: Callable[[], type[NodeCalls]] = lambda: NodeCalls


_KINDS = {
    "python": NodeKind(_python, _python_calls),
    "command": NodeKind(_command),
    "beam": NodeKind(_beam, _beam_calls),
}


def driver_named(name: str, server: Mapping[str, Any], host: Host) -> Driver:
    """The driver of that name; `server` is what the plan says about its program, `host` runs its commands."""
    if name not in _KINDS:
        raise UsageError(
            f"there is no driver {name!r}", remedies=[f"use one of: {', '.join(sorted(_KINDS))}"]
        )
    return _KINDS[name].driver(server, host)


def calls_of(name: str) -> type[NodeCalls]:
    """What clients can do with the nodes of that driver."""
    return _KINDS[name].calls()
