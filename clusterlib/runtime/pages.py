"""What a node shows over HTTP of itself, as JSON."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Any

from clusterlib.runtime.calls import Calls
from clusterlib.runtime.links import Links
from clusterlib.runtime.membership import Membership

__all__ = ["NodePages", "NodePhase"]

Page = Callable[[], tuple[HTTPStatus, object]]
SHOWN_OF_HEALTH = ("node", "cluster", "simulated", "state", "members", "expected", "uptime", "pid")


class NodePhase(StrEnum):
    """What this process is doing, as its page of health has it."""

    STARTING = "starting"
    RUNNING = "running"
    LEAVING = "leaving"
    ENDED = "ended"


class NodePages:
    def __init__(
        self, info: Callable[[], Mapping[str, Any]], membership: Membership, calls: Calls, links: Links
    ) -> None:
        self._info = info
        self._membership = membership
        self._calls = calls
        self._links = links
        self.by_path: Mapping[str, Page] = {
            "/health": self._health,
            "/members": self._members,
            "/metrics": self._metrics,
        }

    def _health(self) -> tuple[HTTPStatus, object]:
        info = self._info()
        healthy = info["state"] == NodePhase.RUNNING and self._membership.complete
        status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
        return status, {name: info[name] for name in SHOWN_OF_HEALTH}

    def _members(self) -> tuple[HTTPStatus, object]:
        membership = self._membership
        statuses = {name: membership.status(name) for name in membership.ring}
        return HTTPStatus.OK, {
            "node": self._info()["node"],
            "version": membership.version,
            "alive": list(membership.alive()),
            "expected": list(membership.ring),
            "status": {
                name: "unknown" if status is None else status.name.lower()
                for name, status in statuses.items()
            },
        }

    def _metrics(self) -> tuple[HTTPStatus, object]:
        info = self._info()
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return HTTPStatus.OK, {
            "node": info["node"],
            "memory": pages * os.sysconf("SC_PAGE_SIZE"),
            "threads": threading.active_count(),
            "calls_served": self._calls.served,
            "calls_running": self._calls.running,
            "links": len(self._links.links),
            "uptime": info["uptime"],
        }
