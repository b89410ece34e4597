"""An entry of a cluster's diary: what happened, when, and which entry it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from clusterlib.frozen import frozen
from clusterlib.messages import events
from clusterlib.messages.codec import NotReadable, revive
from clusterlib.messages.happening import Happening, Unknown, facts_of, kinds_of

__all__ = ["CATALOGUE", "Event", "now"]

CATALOGUE: Mapping[str, type[Happening]] = kinds_of(events)
"""Every kind of event, by its name."""


@frozen
class Event:
    """An entry of a cluster's diary."""

    number: int
    time: str
    what: Happening

    @property
    def kind(self) -> str:
        return self.what.name if isinstance(self.what, Unknown) else self.what.kind

    @property
    def node(self) -> str:
        """The node that it is about; empty where it is about the cluster."""
        return str(getattr(self.what, "node", ""))

    def sentence(self) -> str:
        return self.what.sentence()

    def to_dict(self) -> dict[str, Any]:
        """As it is in the diary."""
        return {"number": self.number, "time": self.time, "kind": self.kind, **facts_of(self.what)}

    @staticmethod
    def of(data: Mapping[str, Any]) -> Event:
        """From what `to_dict` has made; NotReadable where that is no event."""
        number, time, kind = data.get("number", 0), data.get("time", ""), data.get("kind")
        if type(number) is not int or not isinstance(time, str) or not isinstance(kind, str):
            raise NotReadable("no event")
        facts = {key: value for key, value in data.items() if key not in {"number", "time", "kind"}}
        try:
            return Event(number, time, revive(CATALOGUE[kind], facts))
        except (KeyError, NotReadable):
            return Event(number, time, Unknown(kind, facts))


def now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
