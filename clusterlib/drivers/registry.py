"""The drivers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clusterlib.drivers.api import Driver
from clusterlib.drivers.python import PRELOAD, PythonDriver
from clusterlib.errors import UsageError
from clusterlib.hosts.api import Host

__all__ = ["PRELOAD", "driver_named"]


def _python(server: Mapping[str, Any], host: Host) -> Driver:  # noqa: ARG001 - the embedded node needs neither
    return PythonDriver()


def _command(server: Mapping[str, Any], host: Host) -> Driver:
    from clusterlib.drivers.command.driver import CommandDriver

    return CommandDriver(server, host)


def _beam(server: Mapping[str, Any], host: Host) -> Driver:  # noqa: ARG001 - it runs no commands
    from clusterlib.drivers.beam.driver import BeamDriver, BeamSettings

    return BeamDriver(BeamSettings.of(server))


_DRIVERS: dict[str, Callable[[Mapping[str, Any], Host], Driver]] = {
    "python": _python,
    "command": _command,
    "beam": _beam,
}


def driver_named(name: str, server: Mapping[str, Any], host: Host) -> Driver:
    """The driver of that name; `server` is what the plan says about its program, `host` runs its commands."""
    if name not in _DRIVERS:
        raise UsageError(
            f"there is no driver {name!r}", remedies=[f"use one of: {', '.join(sorted(_DRIVERS))}"]
        )
    return _DRIVERS[name](server, host)
