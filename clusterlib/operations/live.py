"""A prompt for all operations of a project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from clusterlib.frozen import frozen
from clusterlib.messages.states import ClusterState, NodeState
from clusterlib.operations.declaring import Caller, operation
from clusterlib.operations.parameters import ClusterName, Help, Short
from clusterlib.operations.result import Result
from clusterlib.profiles.project import find_project
from clusterlib.rundir.folders import check_name, latest_run
from clusterlib.rundir.lock import lock_of

__all__ = ["ClusterGlance", "LivePrompt", "glance", "live"]

Commands = Annotated[
    str,
    Short("c"),
    Help("Carry out these commands, separated by ; or lines, and end. They are typed as in the prompt."),
]


@frozen
class LivePrompt(Result):
    """For the door that talks with a person, or reads commands from elsewhere."""

    project: str
    cluster: str | None
    """The one to begin with."""
    command: str | None
    """What is carried out instead of talking."""


@operation(effect="execute")
def live(caller: Caller, *, name: ClusterName | None = None, command: Commands | None = None) -> LivePrompt:
    """Open a prompt for all operations, which remembers the cluster and the node that you chose."""
    folder = Path(caller.project) if caller.project else find_project(Path.cwd())
    return LivePrompt(str(folder), None if name is None else check_name(name), command)


@frozen
class ClusterGlance:
    """How a cluster is, as its keeper has saved it: asking the keeper would take longer."""

    running: bool
    state: ClusterState | None = None
    simulated: bool = False
    ready: int = 0
    nodes: int = 0

    def __str__(self) -> str:
        if not self.running:
            return "not running"
        state = str(self.state or ClusterState.STARTING)
        if self.state is ClusterState.DEGRADED:
            state += f", {self.ready} of {self.nodes} ready"
        return f"{state}, SIMULATED" if self.simulated else state


def glance(project: Path, name: str) -> ClusterGlance:
    if lock_of(project, name).is_free():
        return ClusterGlance(running=False)
    run = latest_run(project, name)
    last = run.read_state() if run is not None else None
    if last is None or last.state is ClusterState.STOPPED:  # of the run before: this one begins
        return ClusterGlance(running=True)
    ready = sum(one.state is NodeState.READY for one in last.nodes)
    return ClusterGlance(True, last.state, last.simulated, ready, len(last.nodes))
