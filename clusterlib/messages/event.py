"""An entry of a cluster's events: what happened, when, and the number of the entry."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from clusterlib.frozen import frozen
from clusterlib.messages import events
from clusterlib.messages.codec import NotReadable, revive
from clusterlib.messages.happening import Happening, Unknown, facts_of, kinds_of

__all__ = ["CATALOGUE", "Event", "now", "stamp"]

CATALOGUE: Mapping[str, type[Happening]] = kinds_of(events)
"""Every kind of event, by its name."""


@frozen
class Event:
    """An entry of a cluster's events."""

    number: int
    time: str
    what: Happening
    data: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)
    """The data it was read from, which may have more than the catalogue knows."""

    @property
    def kind(self) -> str:
        return self.what.name if isinstance(self.what, Unknown) else self.what.kind

    @property
    def node(self) -> str:
        """The node that it is about; empty if it is about the cluster."""
        return str(getattr(self.what, "node", ""))

    def sentence(self) -> str:
        return self.what.sentence()

    def to_dict(self) -> dict[str, Any]:
        """As it is in `events.jsonl`."""
        if self.data is not None:
            return dict(self.data)
        return {"number": self.number, "time": self.time, "kind": self.kind, **facts_of(self.what)}

    @staticmethod
    def of(data: Mapping[str, Any]) -> Event:
        """Restores the result of `to_dict`.

        An event that does not match the catalogue becomes Unknown."""
        number, time, kind = data.get("number"), data.get("time"), data.get("kind")
        number = number if type(number) is int else 0
        time = time if isinstance(time, str) else ""
        facts = {key: value for key, value in data.items() if key not in {"number", "time", "kind"}}
        try:
            what: Happening = revive(CATALOGUE[str(kind)], facts)
        except (KeyError, NotReadable):
            what = Unknown(str(kind or ""), facts)
        return Event(number, time, what, data)


def now() -> str:
    return stamp(dt.datetime.now(dt.UTC))


def stamp(time: dt.datetime) -> str:
    """A time of UTC, as records and events have it."""
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")
