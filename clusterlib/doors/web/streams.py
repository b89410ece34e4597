"""Events as they happen, to any number of clients (server-sent events).

All clients of one cluster share one follower. It exists while there is one of them. Nothing is
queued for a client: each takes what comes after the last event that it has read, so a slow one
costs no memory, and one that was cut off goes on where it was (`Last-Event-ID`)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from clusterlib.client.start import cluster_name
from clusterlib.errors import RequestRefused, UsageError
from clusterlib.operations.run_events import EventPlace, PlacedEvent, RunEvents, place_of

__all__ = ["EVENT_STREAM", "EventStreams"]

EVENT_STREAM = "text/event-stream"
QUIET_SECONDS = 15.0
"""After so long without an event, a comment is sent, so that a client that has gone is noticed."""
MOST_AT_ONCE = 200
"""Events in one piece of an answer."""


class EventStreams:
    def __init__(self, project: Path) -> None:
        self._project = project
        self._followed: dict[str, _Followed] = {}
        self._ended = False

    async def open(self, name: str, last: str | None) -> AsyncIterator[str]:
        """The stream of a cluster, after the event of that id, or from the beginning of its run.

        Raises UsageError for a name or an id that is none."""
        cluster_name(name)
        place, known = None, True
        if last:
            try:
                place, known = await asyncio.to_thread(place_of, last, self._project, name)
            except UsageError as error:
                raise RequestRefused(error.problem, cause=error.cause) from error
        return self._read(name, place, lost=None if known else last)

    def close(self) -> None:
        """Ends all streams."""
        self._ended = True
        for one in self._followed.values():
            one.close()

    async def _read(self, name: str, place: EventPlace | None, *, lost: str | None) -> AsyncIterator[str]:
        followed = self._followed.get(name)
        if followed is None:
            followed = self._followed[name] = _Followed(self._project, name)
        followed.readers += 1
        try:
            last = place or followed.events.beginning()
            yield ": events of this cluster follow\n\n"
            if lost is not None:
                yield f"event: lost\ndata: {json.dumps({'after': lost})}\n\n"
            while not self._ended:
                news = followed.news
                found = await asyncio.to_thread(followed.events.after, last)
                for start in range(0, len(found), MOST_AT_ONCE):
                    piece = found[start : start + MOST_AT_ONCE]
                    last = piece[-1].place
                    yield "".join(_message(name, one) for one in piece)
                if not found and not await _comes(news):
                    yield ": still here\n\n"
        finally:
            followed.readers -= 1
            if not followed.readers and self._followed.get(name) is followed:
                del self._followed[name]
                followed.close()


class _Followed:
    """One cluster, with its readers."""

    def __init__(self, project: Path, name: str) -> None:
        self.readers = 0
        self.news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.events = RunEvents(project, name, self._tell)

    def _tell(self) -> None:
        """In the thread of the follower."""
        self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        """Each reader waits for the event that it has seen before it looked."""
        news, self.news = self.news, asyncio.Event()
        news.set()

    def close(self) -> None:
        self.events.close()
        self._wake()


async def _comes(news: asyncio.Event) -> bool:
    try:
        await asyncio.wait_for(news.wait(), QUIET_SECONDS)
    except TimeoutError:
        return False
    return True


def _message(name: str, one: PlacedEvent) -> str:
    run, number = one.place.run, one.place.number
    data: dict[str, Any] = {"cluster": name, "run": run, **one.event.to_dict()}
    return f"id: {name}/{run}/{number}\ndata: {json.dumps(data)}\n\n"
