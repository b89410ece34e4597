"""The catalogue of events: the name, the fields and the sentence of each kind.

A line of `events.jsonl` is `{"number": 3, "time": "...Z", "kind": "node.reached", ...}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from clusterlib.frozen import frozen
from clusterlib.messages.effects import Effect
from clusterlib.messages.happening import Happening, count_of, names_of
from clusterlib.messages.recorded import RecordedError
from clusterlib.messages.states import NodeState
from clusterlib.messages.uses import LeaseEnd

__all__ = [
    "ClusterBuilding",
    "ClusterDirty",
    "ClusterHealed",
    "ClusterLingering",
    "ClusterLoaded",
    "ClusterReady",
    "ClusterRestarting",
    "ClusterRetrying",
    "ClusterScaling",
    "ClusterStarting",
    "ClusterStopped",
    "ClusterStopping",
    "ControlRefused",
    "DriverFailed",
    "Fault",
    "FaultKill",
    "FaultPause",
    "FaultStop",
    "HealResume",
    "HealStart",
    "Healing",
    "LeaseReleased",
    "LeaseTaken",
    "NodeAbandoned",
    "NodeCleared",
    "NodeComplained",
    "NodeKilled",
    "NodeMoved",
    "NodeReached",
    "NodeRestartFailed",
    "NodeRestarting",
    "NodeStarted",
    "OperationBegan",
    "OperationEnded",
    "StateNotSaved",
    "TurnEnded",
    "TurnTaken",
]


# -- a cluster


@frozen
class ClusterBuilding(Happening):
    command: str
    says = "building the project"
    why = "{command}"


@frozen
class ClusterStarting(Happening):
    name: str
    profile: str
    nodes: int
    simulated: bool = False
    says = "starting cluster {name}"

    def detail(self) -> str:
        return f"{count_of(self.nodes)}, profile {self.profile}{' [SIMULATED]' if self.simulated else ''}"


@frozen
class ClusterRetrying(Happening):
    attempt: int
    reason: str
    says = "trying again"
    why = "{reason}"


@frozen
class ClusterReady(Happening):
    seconds: float
    simulated: bool = False
    says = "cluster is ready after {seconds:.2f} s"


@frozen
class ClusterRestarting(Happening):
    nodes: tuple[str, ...]
    fresh: bool = False

    def headline(self) -> str:
        return f"restarting {names_of(self.nodes)}{' with no data' if self.fresh else ''}"


@frozen
class ClusterScaling(Happening):
    before: int
    after: int
    role: str | None = None  # if the cluster has several

    def headline(self) -> str:
        what = f"scaling role {self.role}" if self.role else "scaling"
        return f"{what} from {self.before} to {count_of(self.after)}"


@frozen
class ClusterLoaded(Happening):
    modules: tuple[str, ...]
    gone: tuple[str, ...] = ()
    says = "new code runs"

    def detail(self) -> str:
        return ", ".join([*self.modules, *(f"{name} is gone" for name in self.gone)])


@frozen
class ClusterDirty(Happening):
    reason: str
    says = "cluster is dirty"
    why = "{reason}"


@frozen
class ClusterHealed(Happening):
    seconds: float
    fresh: bool = False
    says = "cluster is whole and clean again after {seconds:.2f} s"


@frozen
class ClusterLingering(Happening):
    seconds: float
    says = "cluster waits {seconds:g} s to be used again"


@frozen
class ClusterStopping(Happening):
    reason: str
    by: str = ""  # the test that ended it

    def headline(self) -> str:
        return "the cluster was taken down" if self.by else "stopping"

    def detail(self) -> str:
        return "" if self.by else self.reason

    def deed(self) -> str:
        return "took the cluster down"


@frozen
class ClusterStopped(Happening):
    clean: bool = True

    def headline(self) -> str:
        return "cluster stopped" if self.clean else "cluster stopped, but processes have survived"


# -- a node


@frozen
class NodeStarted(Happening):
    node: str
    pid: int


@frozen
class NodeReached(Happening):
    """It has come one step closer to being ready."""

    node: str
    rung: str


@frozen
class NodeMoved(Happening):
    kind = "node.state"
    node: str
    state: NodeState
    reason: str | None = None
    seconds: float | None = None
    """How long it took to become ready."""
    exit: str | None = None
    """How its process ended."""

    def headline(self) -> str:
        match self.state:
            case NodeState.READY if self.seconds is not None:
                return f"{self.node} is ready after {self.seconds:.2f} s"
            case NodeState.READY | NodeState.DEAD | NodeState.PAUSED:
                return f"{self.node} is {self.state}"
            case NodeState.STOPPED:
                return f"{self.node} stopped"
        return ""

    def detail(self) -> str:
        return (self.reason or "") if self.state in {NodeState.DEAD, NodeState.PAUSED} else ""


@frozen
class NodeKilled(Happening):
    """By us, because it did not stop."""

    node: str
    reason: str
    says = "{node} had to be killed"
    why = "{reason}"


@frozen
class NodeComplained(Happening):
    """It has printed a line that indicates a crash."""

    node: str
    line: str


@frozen
class DriverFailed(Happening):
    """Where that must not stop anything: its method `close`, for example."""

    problem: str
    cause: str
    says = "{problem}"
    why = "{cause}"


@frozen
class NodeCleared(Happening):
    """Its data was deleted."""

    node: str


@frozen
class NodeRestarting(Happening):
    """By the restart policy."""

    node: str
    reason: str
    after: float
    says = "{node} is started again in {after:g} s"
    why = "{reason}"


@frozen
class NodeRestartFailed(Happening):
    node: str
    error: RecordedError = RecordedError()
    says = "{node} did not start again"

    def detail(self) -> str:
        return self.error.problem


@frozen
class NodeAbandoned(Happening):
    """The restart policy has given it up."""

    node: str
    reason: str
    says = "{node} was given up"
    why = "{reason}"


# -- faults


@frozen
class Fault(Happening):
    """A node was broken on purpose."""

    node: str
    by: str = ""
    done: ClassVar[str] = ""

    def headline(self) -> str:
        return f"{self.node} was {self.done}"

    def deed(self) -> str:
        return f"{self.done} {self.node}"


@frozen
class FaultKill(Fault):
    done = "killed"


@frozen
class FaultPause(Fault):
    done = "paused"


@frozen
class FaultStop(Fault):
    done = "stopped"


@frozen
class Healing(Happening):
    """A fault was undone."""

    node: str
    by: str = ""


@frozen
class HealStart(Healing):
    says = "{node} was started"


@frozen
class HealResume(Healing):
    says = "{node} was resumed"


# -- turns


@frozen
class LeaseTaken(Happening):
    holder: str
    leases: int


@frozen
class LeaseReleased(Happening):
    holder: str
    how: LeaseEnd
    leases: int


@frozen
class TurnTaken(Happening):
    holder: str
    exclusive: bool

    def headline(self) -> str:
        return f"{self.holder} {'has the cluster alone' if self.exclusive else 'shares the cluster'}"


@frozen
class TurnEnded(Happening):
    holder: str
    dirty: str | None
    """Damage that must be repaired before the next turn."""
    says = "{holder} is through with the cluster"

    def detail(self) -> str:
        return self.dirty or ""


# -- operations, and the keeper itself


@frozen
class OperationBegan(Happening):
    operation: str
    arguments: Mapping[str, str]
    effect: Effect
    by: str = ""

    def headline(self) -> str:
        given = ", ".join(f"{name}={value}" for name, value in self.arguments.items())
        return f"{self.operation}{f' ({given})' if given else ''} begins"


@frozen
class OperationEnded(Happening):
    operation: str
    seconds: float
    error: str = ""
    taints: bool = False
    """Whether it leaves the cluster dirty, which is no failure then."""
    why = "{error}"

    def headline(self) -> str:
        return f"{self.operation} {'failed' if self.error else 'is done'} after {self.seconds:.2f} s"


@frozen
class StateNotSaved(Happening):
    reason: str
    says = "the state could not be saved"
    why = "{reason}"


@frozen
class ControlRefused(Happening):
    reason: str
