"""The events of a cluster: appended to `events.jsonl` as they happen, and sent to watchers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from clusterlib.messages.event import Event, now
from clusterlib.messages.happening import Happening

__all__ = ["EventLog", "Tell"]

Tell = Callable[[Happening], object]
KEPT_IN_MEMORY = 2000


class EventLog:
    """Writes events. A full disk loses events, but does not affect the cluster."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._watchers: list[Callable[[Event], None]] = []
        self._number = 0
        self.recent: list[Event] = []
        self.lost = 0
        self._torn = b""
        """Ends a line that a full disk has cut short, so that it does not damage the next one."""

    def tell(self, what: Happening) -> Event:
        self._number += 1
        event = Event(self._number, now(), what)
        try:
            line = self._torn + json.dumps(event.to_dict()).encode() + b"\n"
            self._torn = b"" if os.write(self._file, line) == len(line) else b"\n"
        except OSError:
            self._torn = b"\n"
        if self._torn:
            self.lost += 1
        self.recent.append(event)
        del self.recent[:-KEPT_IN_MEMORY]
        for watcher in list(self._watchers):
            watcher(event)
        return event

    def watch(self, watcher: Callable[[Event], None]) -> Callable[[], None]:
        """Adds a watcher; returns a function that removes it."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None

    def close(self) -> None:
        """Idempotent. Events that come later are lost, as on a full disk."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
