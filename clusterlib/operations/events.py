"""The keeper's diary: of a running cluster as it is written, or of the last run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clusterlib.client.start import cluster_name, project_folder
from clusterlib.errors import ClusterNotRunning
from clusterlib.frozen import frozen
from clusterlib.messages.event import Event
from clusterlib.messages.requests import Watch
from clusterlib.operations.reach import not_running, reached
from clusterlib.operations.result import Result
from clusterlib.rundir.diary import read_events
from clusterlib.rundir.folders import latest_run

__all__ = ["Diary", "diary", "follow_diary"]


@frozen
class Diary(Result):
    cluster: str
    run: str
    events: tuple[Event, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"cluster": self.cluster, "run": self.run, "events": [one.to_dict() for one in self.events]}


def diary(*, name: str | None = None, project: Path | str | None = None) -> Diary:
    folder, called = project_folder(project), cluster_name(name)
    run = latest_run(folder, called)
    if run is None:
        raise not_running(called, folder)
    return Diary(called, str(run.path), tuple(read_events(run.events)))


def follow_diary(*, name: str | None = None, project: Path | str | None = None) -> Iterator[Event]:
    """What is written already, then what comes, until the cluster ends."""
    last = 0
    for event in diary(name=name, project=project).events:
        last = event.number
        yield event
    try:
        with reached(name, project=project) as cluster:
            missed: list[Event] = []
            cluster.keeper.ask(Watch(last), on_event=missed.append)
            yield from missed
            yield from cluster.keeper.events()
    except ClusterNotRunning:
        return
