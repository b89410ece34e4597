"""What runs here, and how it is."""

from __future__ import annotations

from clusterlib.client.start import project_folder
from clusterlib.errors import ClusterNotRunning, OtherVersion
from clusterlib.frozen import frozen
from clusterlib.operations.declaring import Caller, operation
from clusterlib.operations.parameters import ClusterName
from clusterlib.operations.reach import reached, wanted_names
from clusterlib.operations.result import Result
from clusterlib.operations.views import ClusterView
from clusterlib.remedies import do
from clusterlib.rundir.folders import all_names

__all__ = ["Status", "look"]


@frozen
class Status(Result):
    project: str
    clusters: tuple[ClusterView, ...]


@operation(effect="read", name="status")
def look(caller: Caller, *, name: ClusterName | None = None) -> Status:
    """Show the clusters of this project that run, and their nodes."""
    folder = project_folder(caller.project)
    names = wanted_names(name, project=folder)
    views, strange = [], None
    for one in names:
        try:
            with reached(one, project=folder) as cluster:
                views.append(ClusterView.of(cluster.status()))
        except ClusterNotRunning:
            if len(names) == 1:
                raise
        except OtherVersion as error:  # it does not hide the others
            strange = error
    if not views and strange is not None:
        raise strange
    if not views:
        known = all_names(folder)
        raise ClusterNotRunning(
            f"no cluster of {folder} is running",
            evidence=[f"stopped ones: {', '.join(known)}"] if known else [],
            remedies=[do("cluster.up")],
        )
    return Status(str(folder), tuple(views))
