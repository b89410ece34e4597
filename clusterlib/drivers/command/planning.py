"""What a profile says about a server program, for its driver."""

from __future__ import annotations

import os
from typing import Any

from clusterlib.disk.paths import within
from clusterlib.drivers.planning import Planned
from clusterlib.messages.codec import plain

__all__ = ["environment", "settings"]

SECTIONS = ("command", "environment", "ready", "form", "formed", "health")


def settings(planned: Planned) -> dict[str, Any]:
    """As `Server.of` reads them."""
    values = planned.resolved.values
    return {
        **{section: plain(getattr(values, section)) for section in SECTIONS},
        "program": str(planned.programs[values.command.program]),
        "ports": list(values.ports),
        "stop_seconds": values.timeouts.stop,
    }


def environment(planned: Planned) -> dict[str, str]:
    """PYTHONPATH with the code roots that the profile names; embedded nodes need none."""
    resolved = planned.resolved
    roots = within(planned.project, resolved.values.python.path)
    if not roots or resolved.origin("python.path").source == "default":
        return {}
    inherited = [path for path in [os.environ.get("PYTHONPATH")] if path]
    return {"PYTHONPATH": os.pathsep.join([*roots, *inherited])}
