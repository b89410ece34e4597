"""What can be asked of a keeper: each request with its arguments, and the type of its answer.

On the wire a request is named as its class, in small letters: `StopNode` is "stop_node"."""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

from clusterlib.errors import UsageError
from clusterlib.frozen import field_names, frozen
from clusterlib.messages.codec import NotReadable, revive
from clusterlib.messages.effects import Effect
from clusterlib.messages.measurements import Examined, Measured
from clusterlib.messages.plan import RunningCode
from clusterlib.messages.status import ClusterStatus, NodeStatus, Peak, TurnGiven

__all__ = [
    "Abandon",
    "BeginOperation",
    "Code",
    "Down",
    "EndOperation",
    "EndTurn",
    "Examine",
    "FlushLogs",
    "Handed",
    "Heal",
    "Keep",
    "Kill",
    "Load",
    "Loaded",
    "Measure",
    "NodeRequest",
    "Observe",
    "Pause",
    "Release",
    "Request",
    "Restart",
    "Resume",
    "Scale",
    "Stacks",
    "Start",
    "StartNode",
    "StatusRequest",
    "StopNode",
    "TakeLease",
    "TakeTurn",
    "Watch",
    "answer_of",
    "name_of",
    "request_of",
]

A = TypeVar("A")


class Request(Generic[A]):
    """A question to the keeper whose answer is an A."""

    __slots__ = ()
    op: ClassVar[str] = ""
    """The name on the wire, if it differs from the name of the class."""
    changes: ClassVar[bool] = False
    """Whether it changes the cluster. If so, clients that share the cluster cannot send it."""


@frozen
class Start(Request[ClusterStatus]):
    """Starts the nodes of the plan and waits until they are ready. A failure ends the cluster."""


@frozen
class StatusRequest(Request[ClusterStatus]):
    op = "status"


@frozen
class Watch(Request[None]):
    """Sends events over this connection from now on, starting with those later than `after`."""

    after: int | None = None


# -- who holds the cluster, and who uses it


@frozen
class TakeLease(Request[ClusterStatus]):
    op = "lease"
    holder: str
    sole: bool = False
    """Only if there is no other lease."""


@frozen
class Handed:
    """A lease was given back."""

    ended: bool
    """Whether that ended the cluster, because it was the last lease."""


@frozen
class Release(Request[Handed]):
    pass


@frozen
class Abandon(Request[Handed]):
    """Gives the lease back, and ends the cluster if no other client has come to hold it."""


@frozen
class Keep(Request[ClusterStatus]):
    """From now on the cluster runs until `Down`."""


@frozen
class Down(Request[None]):
    """It gets no further field: a keeper of an older version refuses unknown ones, and it must be
    possible to end any cluster. So the reason also names who asks."""

    changes = True
    reason: str = "asked to"


@frozen
class TakeTurn(Request[TurnGiven]):
    holder: str
    exclusive: bool = True
    timeout: float | None = None
    """The most seconds to wait for it."""


@frozen
class EndTurn(Request[Peak]):
    dirty: str | None = None
    """What was left in the cluster that the next holder must not find."""


# -- what its clients are doing


@frozen
class BeginOperation(Request[int]):
    """An operation begins. The answer is its number. An operation that changes the cluster or
    leaves it dirty is refused to a connection with a shared turn."""

    operation: str
    arguments: Mapping[str, str]
    effect: Effect
    taints: bool = False
    """Whether the cluster counts as dirty afterwards."""
    by: str = ""
    """The process that carries it out."""


@frozen
class EndOperation(Request[None]):
    number: int
    """The answer to its beginning."""
    error: str = ""
    """What went wrong. Empty if nothing did."""


# -- looking at it


@frozen
class FlushLogs(Request[None]):
    """Has all that the nodes have printed written to their log files."""


@frozen
class Examine(Request[Examined]):
    within: float
    """Seconds for the nodes to answer."""


@frozen
class Measure(Request[Measured]):
    pass


@frozen
class Code(Request[RunningCode]):
    pass


@frozen
class Observe(Request[None]):
    """Makes the node look at the questions in its folder."""

    name: str


@frozen
class Stacks(Request[tuple[str, ...]]):
    name: str


# -- changing it


@frozen
class Restart(Request[ClusterStatus]):
    changes = True
    names: tuple[str, ...] = ()
    """None means all nodes."""
    fresh: bool = False


@frozen
class Loaded:
    status: ClusterStatus
    loaded: Mapping[str, tuple[str, ...]]
    """The modules that each node has loaded."""


@frozen
class Load(Request[Loaded]):
    """Makes the nodes run compiled modules as they are on disk, without a restart."""

    changes = True
    code: Mapping[str, str]
    """What they run afterwards: digests by file."""
    modules: Mapping[str, str]
    """Files by name."""
    gone: tuple[str, ...] = ()
    role: str | None = None
    """The role of the nodes. It must be given if the cluster has several."""


@frozen
class Scale(Request[ClusterStatus]):
    changes = True
    count: int
    role: str | None = None
    """Must be given if the cluster has several."""


@frozen
class Heal(Request[ClusterStatus]):
    changes = True
    fresh: bool = False


@frozen
class NodeRequest(Request[NodeStatus]):
    """Does something to one node. The answer is the node afterwards."""

    changes = True
    name: str
    by: str = ""
    """The test or process that asks for it."""


@frozen
class StopNode(NodeRequest):
    pass


@frozen
class StartNode(NodeRequest):
    pass


@frozen
class Kill(NodeRequest):
    pass


@frozen
class Pause(NodeRequest):
    pass


@frozen
class Resume(NodeRequest):
    pass


# -- on the wire


def name_of(kind: type[Request[Any]]) -> str:
    return kind.op or re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def answer_of(kind: type[Request[A]]) -> type[A]:
    """The type of the answer to requests of this kind."""
    (base,) = kind.__orig_bases__  # type: ignore[attr-defined]  # its own or an inherited one
    return typing.cast("type[A]", typing.get_args(base)[0])


def request_of(
    kinds: Mapping[str, type[Request[Any]]], name: str, arguments: Mapping[str, Any]
) -> Request[Any]:
    """The request that was sent, if it is one of these."""
    if name not in kinds:
        raise UsageError(f"the keeper knows no operation {name!r}", evidence=[", ".join(kinds)])
    kind = kinds[name]
    known = field_names(kind)
    unknown = ", ".join(repr(one) for one in arguments if one not in known)
    try:
        if unknown:
            raise NotReadable(
                f"it has no {unknown}, only {', '.join(known)}" if known else f"it takes none, not {unknown}"
            )
        return revive(kind, arguments)
    except NotReadable as error:
        raise UsageError(f"bad arguments for {name!r}", cause=str(error)) from error
