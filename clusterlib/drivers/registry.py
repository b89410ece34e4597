"""The drivers by name."""

from __future__ import annotations

from collections.abc import Callable

from clusterlib.drivers.api import Driver
from clusterlib.drivers.python import PRELOAD, PythonDriver
from clusterlib.errors import UsageError

__all__ = ["PRELOAD", "driver_named"]

_DRIVERS: dict[str, Callable[[], Driver]] = {"python": PythonDriver}


def driver_named(name: str) -> Driver:
    if name not in _DRIVERS:
        raise UsageError(
            f"there is no driver {name!r}", remedies=[f"use one of: {', '.join(sorted(_DRIVERS))}"]
        )
    return _DRIVERS[name]()
