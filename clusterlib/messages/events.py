"""The catalogue of what happens to a cluster: for each kind of event its name, its fields and its sentence.

A diary and the control socket hold them as `{"number": 3, "time": "...Z", "kind": "node.reached", "node": "node1", ...}`."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from typing import Any, ClassVar

from clusterlib.frozen import frozen
from clusterlib.messages.codec import NotReadable, plain, revive
from clusterlib.messages.states import NodeState

__all__ = [
    "KINDS",
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
    "Event",
    "Fault",
    "FaultKill",
    "FaultPause",
    "FaultStop",
    "Happening",
    "Heal",
    "HealResume",
    "HealStart",
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
    "StateNotSaved",
    "TurnEnded",
    "TurnTaken",
    "Unknown",
    "now",
]

KINDS: dict[str, type[Happening]] = {}
MOST_NAMES = 6
"""Nodes that a sentence names; of more it says how many they are."""


class Happening:
    """Something that has happened. `NodeRestartFailed` is called "node.restart-failed" in diaries."""

    __slots__ = ()
    kind: ClassVar[str]

    def __init_subclass__(cls) -> None:
        if "kind" not in vars(cls):
            about, *rest = re.findall("[A-Z][a-z]*", cls.__name__)
            cls.kind = f"{about}.{'-'.join(rest)}".lower()
        if not cls.kind.endswith("."):
            KINDS[cls.kind] = cls

    def headline(self) -> str:
        """What happened, for people; empty where only a machine wants to know."""
        return ""

    def detail(self) -> str:
        """The reason, or whatever else comes after the headline."""
        return ""

    def deed(self) -> str:
        """What somebody did who has made this happen on purpose, as "killed node1"; empty where nobody has."""
        return ""

    def sentence(self) -> str:
        headline, detail = self.headline(), self.detail()
        return f"{headline}: {detail}" if headline and detail else headline


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
        return {"number": self.number, "time": self.time, "kind": self.kind, **_facts(self.what)}

    @staticmethod
    def of(data: Mapping[str, Any]) -> Event:
        """From what `to_dict` has made; NotReadable where that is no event."""
        number, time, kind = data.get("number", 0), data.get("time", ""), data.get("kind")
        if type(number) is not int or not isinstance(time, str) or not isinstance(kind, str):
            raise NotReadable("no event")
        facts = {key: value for key, value in data.items() if key not in {"number", "time", "kind"}}
        try:
            return Event(number, time, revive(KINDS[kind], facts))
        except (KeyError, NotReadable):
            return Event(number, time, Unknown(kind, facts))


def _facts(what: Happening) -> Mapping[str, Any]:
    """Without those that there need not be, and that there are not."""
    if isinstance(what, Unknown):
        return what.facts
    needless = {one.name for one in fields(what) if one.default is None}  # type: ignore[arg-type]  # each is a dataclass
    facts: dict[str, Any] = plain(what)
    return {key: value for key, value in facts.items() if value is not None or key not in needless}


def now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@frozen
class Unknown(Happening):
    """Of another version of clusterlib, or of somebody else."""

    name: str
    facts: Mapping[str, Any]

    @property
    def node(self) -> str:
        return str(self.facts.get("node", ""))

    def headline(self) -> str:
        about, _, what = self.name.partition(".")
        return f"{what} {self.node}".strip() if about in {"fault", "heal"} else ""

    def deed(self) -> str:
        about, _, what = self.name.partition(".")
        return f"caused a {what}{f' of {self.node}' if self.node else ''}" if about == "fault" else ""


# -- a cluster


@frozen
class ClusterBuilding(Happening):
    command: str

    def headline(self) -> str:
        return "building the project"

    def detail(self) -> str:
        return self.command


@frozen
class ClusterStarting(Happening):
    name: str
    profile: str
    nodes: int
    simulated: bool = False

    def headline(self) -> str:
        return f"starting cluster {self.name}"

    def detail(self) -> str:
        return f"{_count(self.nodes)}, profile {self.profile}{' [SIMULATED]' if self.simulated else ''}"


@frozen
class ClusterRetrying(Happening):
    attempt: int
    reason: str

    def headline(self) -> str:
        return "trying again"

    def detail(self) -> str:
        return self.reason


@frozen
class ClusterReady(Happening):
    seconds: float
    simulated: bool = False

    def headline(self) -> str:
        return f"cluster is ready after {self.seconds:.2f} s"


@frozen
class ClusterRestarting(Happening):
    nodes: tuple[str, ...]
    fresh: bool = False

    def headline(self) -> str:
        return f"restarting {_names(self.nodes)}{' with no data' if self.fresh else ''}"


@frozen
class ClusterScaling(Happening):
    before: int
    after: int

    def headline(self) -> str:
        return f"scaling from {self.before} to {_count(self.after)}"


@frozen
class ClusterLoaded(Happening):
    modules: tuple[str, ...]
    gone: tuple[str, ...] = ()

    def headline(self) -> str:
        return "new code runs"

    def detail(self) -> str:
        return ", ".join([*self.modules, *(f"{name} is gone" for name in self.gone)])


@frozen
class ClusterDirty(Happening):
    reason: str

    def headline(self) -> str:
        return "cluster is dirty"

    def detail(self) -> str:
        return self.reason


@frozen
class ClusterHealed(Happening):
    seconds: float
    fresh: bool = False

    def headline(self) -> str:
        return f"cluster is whole and clean again after {self.seconds:.2f} s"


@frozen
class ClusterLingering(Happening):
    seconds: float

    def headline(self) -> str:
        return f"cluster waits {self.seconds:g} s to be used again"


@frozen
class ClusterStopping(Happening):
    reason: str
    by: str = ""
    """The test that has ended it."""

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
        return "cluster stopped" if self.clean else "cluster stopped, but something was left behind"


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
    """How long it took to be ready."""
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
    """By us, as it did not stop."""

    node: str
    reason: str

    def headline(self) -> str:
        return f"{self.node} was killed"

    def detail(self) -> str:
        return self.reason


@frozen
class NodeComplained(Happening):
    """It has printed a line that says that it is broken."""

    node: str
    line: str


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

    def headline(self) -> str:
        return f"{self.node} is started again in {self.after:g} s"

    def detail(self) -> str:
        return self.reason


@frozen
class NodeRestartFailed(Happening):
    node: str
    error: Mapping[str, Any] = field(default_factory=dict)

    def headline(self) -> str:
        return f"{self.node} did not start again"

    def detail(self) -> str:
        return str(self.error.get("problem", ""))


@frozen
class NodeAbandoned(Happening):
    """The restart policy has given it up."""

    node: str
    reason: str

    def headline(self) -> str:
        return f"{self.node} was given up"

    def detail(self) -> str:
        return self.reason


# -- what is done to a node on purpose


@frozen
class Fault(Happening):
    """Somebody has broken a node on purpose."""

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
class Heal(Happening):
    """Somebody has undone a fault."""

    node: str
    by: str = ""
    done: ClassVar[str] = ""

    def headline(self) -> str:
        return f"{self.node} was {self.done}"


@frozen
class HealStart(Heal):
    done = "started"


@frozen
class HealResume(Heal):
    done = "resumed"


# -- who uses the cluster


@frozen
class LeaseTaken(Happening):
    holder: str
    leases: int


@frozen
class LeaseReleased(Happening):
    holder: str
    how: str
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
    """What is left that the next one must not meet."""

    def headline(self) -> str:
        return f"{self.holder} is through with the cluster"

    def detail(self) -> str:
        return self.dirty or ""


# -- the keeper itself


@frozen
class StateNotSaved(Happening):
    reason: str

    def headline(self) -> str:
        return "the state could not be saved"

    def detail(self) -> str:
        return self.reason


@frozen
class ControlRefused(Happening):
    reason: str


def _count(nodes: int) -> str:
    return f"{nodes} node" + ("" if nodes == 1 else "s")


def _names(nodes: Sequence[str]) -> str:
    return ", ".join(nodes) if len(nodes) <= MOST_NAMES else _count(len(nodes))
