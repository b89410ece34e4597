"""The events of a cluster: of a running one as they are written, or of the last run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clusterlib.client.start import cluster_name, project_folder
from clusterlib.errors import ClusterNotRunning
from clusterlib.frozen import frozen
from clusterlib.messages.event import Event
from clusterlib.messages.requests import Watch
from clusterlib.operations.declaring import Caller, operation
from clusterlib.operations.parameters import ClusterName, Follow
from clusterlib.operations.reach import not_running, reached
from clusterlib.operations.result import Result
from clusterlib.rundir.event_files import read_events
from clusterlib.rundir.folders import latest_run

__all__ = ["ClusterEvents", "FollowedEvents", "events"]


@frozen
class ClusterEvents(Result):
    cluster: str
    run: str
    events: tuple[Event, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"cluster": self.cluster, "run": self.run, "events": [one.to_dict() for one in self.events]}


class FollowedEvents:
    """The existing events, then new ones until the cluster ends."""

    def __init__(self, name: str | None, project: Path | str | None) -> None:
        self._name = name
        self._project = project

    def __iter__(self) -> Iterator[Event]:
        last = 0
        for event in _written(self._name, self._project).events:
            last = event.number
            yield event
        try:
            with reached(self._name, project=self._project) as cluster:
                missed: list[Event] = []
                cluster.keeper.ask(Watch(last), on_event=missed.append)
                yield from missed
                yield from cluster.keeper.events()
        except ClusterNotRunning:
            return


@operation(effect="read")
def events(
    caller: Caller, *, name: ClusterName | None = None, follow: Follow = False
) -> ClusterEvents | FollowedEvents:
    """Show what happened to the cluster; of the last run if none is running."""
    return FollowedEvents(name, caller.project) if follow else _written(name, caller.project)


def _written(name: str | None, project: Path | str | None) -> ClusterEvents:
    folder, called = project_folder(project), cluster_name(name)
    run = latest_run(folder, called)
    if run is None:
        raise not_running(called, folder)
    return ClusterEvents(called, str(run.path), tuple(read_events(run.events)))
