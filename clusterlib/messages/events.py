"""What happened, in order: appended to `events.jsonl` as it happens and told to whoever watches."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["Event", "EventLog", "now", "read_events"]

Event = dict[str, Any]
KEPT_IN_MEMORY = 2000


def now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class EventLog:
    """The keeper's diary. A full disk costs the diary, never the cluster."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._watchers: list[Callable[[Event], None]] = []
        self._number = 0
        self.recent: list[Event] = []
        self.lost = 0
        self._torn = b""
        """What ends a line that a full disk cut short, so that it spoils no other."""

    def tell(self, kind: str, **facts: Any) -> Event:
        self._number += 1
        event: Event = {"number": self._number, "time": now(), "kind": kind, **facts}
        try:
            line = self._torn + json.dumps(event).encode() + b"\n"
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
        """Adds a watcher; gives back what removes it."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None

    def close(self) -> None:
        os.close(self._file)


def read_events(path: Path) -> Iterator[Event]:
    """The events on disk; a last line cut short by a crash is left out."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event
