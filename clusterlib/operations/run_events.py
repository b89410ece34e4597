"""The events of all runs of a cluster, from any place on: of files, and of its keeper as they
happen.

A cluster may end and start again under its name. Runs are ordered by the names of their folders, so
a place in the events is a run and the number of an event in it."""

from __future__ import annotations

import contextlib
import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.client.start import lock_of
from clusterlib.errors import ClusterError, UsageError
from clusterlib.frozen import frozen
from clusterlib.messages.event import Event
from clusterlib.messages.requests import Watch
from clusterlib.operations.reach import reached
from clusterlib.rundir.event_files import read_events
from clusterlib.rundir.folders import latest_run, runs_of
from clusterlib.waiting import Deadline, pause, poll

if TYPE_CHECKING:
    from clusterlib.client.cluster import Cluster

__all__ = ["EventPlace", "PlacedEvent", "RunEvents", "place_of", "recorded_after"]

MOST_KEPT = 4096
"""Events in memory. Older ones are read from the files."""
LOOK_SECONDS = 0.25
LEAST_PAUSE = 0.02
"""Between two attempts to reach a keeper, which may be booting or ending."""


@frozen
class EventPlace:
    """After that event of that run."""

    run: str
    number: int

    @property
    def order(self) -> tuple[str, int]:
        return self.run, self.number


@frozen
class PlacedEvent:
    place: EventPlace
    event: Event


BEGINNING = EventPlace("", 0)


def recorded_after(project: Path, name: str, place: EventPlace) -> list[PlacedEvent]:
    """What the files have, from all runs since then."""
    found = list[PlacedEvent]()
    for run in runs_of(project, name):
        if run.path.name >= place.run:
            after = place.number if run.path.name == place.run else 0
            events = (event for event in read_events(run.events) if event.number > after)
            found += (PlacedEvent(EventPlace(run.path.name, event.number), event) for event in events)
    return found


class RunEvents:
    """Follows one cluster in a thread, for any number of readers. `on_news` is called in that
    thread."""

    def __init__(self, project: Path, name: str, on_news: Callable[[], None]) -> None:
        self._project = project
        self._name = name
        self._on_news = on_news
        self._kept: list[PlacedEvent] = []
        self._floor = self.beginning()
        """All events after this one are in memory, as far as they are known."""
        self._last = self._floor
        self._lock = threading.Lock()
        self._cluster: Cluster | None = None
        self._ended = False
        self._sizes: dict[str, int] = {}
        self._thread = threading.Thread(target=self._follow, name=f"events of {name}", daemon=True)
        self._thread.start()

    def beginning(self) -> EventPlace:
        """Before the first event of the run that is the latest now."""
        run = latest_run(self._project, self._name)
        return EventPlace(run.path.name, 0) if run is not None else BEGINNING

    def after(self, place: EventPlace) -> Sequence[PlacedEvent]:
        """All events since then that are known now, in their order."""
        with self._lock:
            if place.order >= self._floor.order:
                start = bisect_right(self._kept, place.order, key=lambda one: one.place.order)
                return self._kept[start:]
        return recorded_after(self._project, self._name, place)

    def close(self) -> None:
        """Ends the thread soon. Idempotent."""
        self._ended = True
        cluster = self._cluster
        if cluster is not None:
            cluster.keeper.close()

    # -- in the thread

    def _follow(self) -> None:
        while not self._ended:
            with contextlib.suppress(OSError):  # a run that is being removed, no more descriptors
                self._read_files()
                with contextlib.suppress(ClusterError):
                    self._watch()
                self._read_files()
            pause(LEAST_PAUSE)
            with contextlib.suppress(OSError, ClusterError):
                poll(self._has_work, Deadline(LOOK_SECONDS))

    def _read_files(self) -> None:
        """If they have changed."""
        runs = [one for one in runs_of(self._project, self._name) if one.path.name >= self._last.run]
        sizes = {one.path.name: one.events.stat().st_size for one in runs if one.events.exists()}
        if sizes != self._sizes:
            self._add(recorded_after(self._project, self._name, self._last))
            self._sizes = sizes

    def _has_work(self) -> bool:
        return self._ended or not lock_of(self._project, self._name).is_free()

    def _watch(self) -> None:
        """Until the cluster ends."""
        if lock_of(self._project, self._name).is_free():
            return
        with reached(self._name, project=self._project) as cluster:
            self._cluster = cluster
            run = cluster.run_folder.path.name
            if run < self._last.run or self._ended:
                return
            after = self._last.number if run == self._last.run else 0
            missed: list[Event] = []
            cluster.keeper.ask(Watch(after), on_event=missed.append)
            self._add(_placed(run, missed))
            for event in cluster.keeper.events():
                self._add(_placed(run, [event]))
        self._cluster = None

    def _add(self, found: Sequence[PlacedEvent]) -> None:
        with self._lock:
            news = [one for one in found if one.place.order > self._last.order]
            if not news:
                return
            self._kept += news
            self._last = news[-1].place
            if (surplus := len(self._kept) - MOST_KEPT) > 0:
                self._floor = self._kept[surplus - 1].place
                del self._kept[:surplus]
        self._on_news()


def _placed(run: str, events: Sequence[Event]) -> list[PlacedEvent]:
    return [PlacedEvent(EventPlace(run, event.number), event) for event in events]


def place_of(text: str, project: Path, name: str) -> tuple[EventPlace, bool]:
    """The place that an id (cluster/run/number) means, and whether its run is still there.

    Raises UsageError for what is no id of an event of this cluster."""
    cluster, _, rest = text.partition("/")
    run, _, number = rest.partition("/")
    if cluster != name or not run or not (number.isascii() and number.isdigit()) or len(number) > 15:
        raise UsageError(
            f"{text[:200]!r} is no id of an event of cluster '{name}'",
            cause="an id is cluster/run/number, as the stream has sent it",
        )
    known = any(one.path.name == run for one in runs_of(project, name))
    return EventPlace(run, int(number)), known
