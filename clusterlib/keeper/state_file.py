"""The state of a cluster on disk, for commands after a crash."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

from clusterlib.errors import ClusterError
from clusterlib.hosts.places import write_private
from clusterlib.keeper.event_log import Tell
from clusterlib.messages.codec import plain
from clusterlib.messages.events import StateNotSaved
from clusterlib.messages.status import ClusterStatus

__all__ = ["StateFile"]

SAVING_SECONDS = 0.05
"""Ends at the same time are saved together: the state of a hundred nodes takes milliseconds to
write."""


class StateFile:
    def __init__(self, path: Path, state: Callable[[], ClusterStatus], tell: Tell) -> None:
        self._path = path
        self._state = state
        self._tell = tell
        self._due: asyncio.TimerHandle | None = None

    def save_soon(self) -> None:
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(SAVING_SECONDS, self.save)

    def save(self) -> None:
        """A full disk must not end the cluster."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        try:
            write_private(self._path, json.dumps({**plain(self._state()), "saved": time.time()}, indent=1))
        except (OSError, ClusterError) as error:  # a driver may fail to describe its nodes
            self._tell(StateNotSaved(str(error)))
