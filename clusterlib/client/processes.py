"""The processes of a cluster, as its client sees them: all nodes are asked at once, and one that
cannot answer does not hold up the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, TypeVar

from clusterlib.client.condition import explain
from clusterlib.errors import ClusterError, NodeUnavailable, NotSupported, ProcessGone, UsageError
from clusterlib.frozen import frozen
from clusterlib.messages.states import NodeState
from clusterlib.messages.status import NodeStatus

if TYPE_CHECKING:
    from clusterlib.client.cluster import Cluster
    from clusterlib.client.node import Node
    from clusterlib.drivers.processes import ProcessCalls, Spawning

__all__ = [
    "ASK_SECONDS",
    "Answers",
    "ProcessOwner",
    "Unasked",
    "ask_each",
    "ask_nodes",
    "home_of",
    "node_to_start_on",
    "owner_of",
]

T = TypeVar("T")
ASK_SECONDS = 2.0
"""For one node to answer a question about its processes."""
MOST_AT_ONCE = 32


@frozen
class Unasked:
    """A node that gave no answer."""

    node: str
    state: NodeState
    why: str


class Answers(Generic[T]):
    """What the nodes have answered, and which have not."""

    def __init__(self) -> None:
        self.of: dict[str, T] = {}
        self.unasked: list[Unasked] = []
        self.errors: list[ClusterError] = []

    def add_error(self, node: NodeStatus, error: ClusterError) -> None:
        why = f"{error.problem}: {error.cause}" if error.cause else error.problem
        self.unasked.append(Unasked(node.name, node.state, why))
        self.errors.append(error)


@frozen
class ProcessOwner:
    """Where a process is."""

    node: Node
    process: str
    """Its id."""


def ask_nodes(cluster: Cluster, ask: Callable[[ProcessCalls], T], node: str | None = None) -> Answers[T]:
    """Asks all nodes, or one. Raises the error of one of them if none has answered."""
    return ask_each(cluster, _known(cluster, node), lambda one: one.ask_processes(ask))


def ask_each(cluster: Cluster, nodes: Sequence[NodeStatus], ask: Callable[[Node], T]) -> Answers[T]:
    """Asks these nodes at once, but not those that the keeper knows to be down. Raises the error of
    one of them if none has answered."""
    answers = Answers[T]()
    asked = [one for one in nodes if _can_be_asked(answers, one)]

    def one(known: NodeStatus) -> None:
        try:
            answers.of[known.name] = ask(cluster[known.name])
        except ClusterError as error:
            answers.add_error(known, error)

    if len(asked) == 1:
        one(asked[0])
    elif asked:
        with ThreadPoolExecutor(min(MOST_AT_ONCE, len(asked))) as threads:
            list(threads.map(one, asked))
    if answers.errors and not answers.of:
        raise _most_informative(answers.errors)
    answers.of = {known: answers.of[known] for known in sorted(answers.of)}
    answers.unasked.sort(key=lambda missing: missing.node)
    return answers


def owner_of(cluster: Cluster, target: str, node: str | None = None) -> ProcessOwner:
    """The node on which the process runs, and its id. `target` is an id or a registered name. With
    `node`, only that node is asked."""
    answers = Answers[ProcessOwner]()
    known = _known(cluster, node)
    homes: dict[str, str] = {}
    for one in known:
        if not _can_be_asked(answers, one):
            continue
        try:
            found, home, other_owners = cluster[one.name].ask_processes(
                lambda calls: (*calls.where(target, ASK_SECONDS), calls.names_are_local)
            )
        except ClusterError as error:
            answers.add_error(one, error)
        else:
            homes[found] = home
            if found == target or not other_owners:
                break
    if not homes:
        raise _not_found(answers)
    if len(homes) > 1:
        raise _ambiguous(target, homes)
    return _living_owner(cluster, known, *homes.popitem())


def _living_owner(cluster: Cluster, known: Sequence[NodeStatus], process: str, home: str) -> ProcessOwner:
    owner = next((each for each in known if each.name == home), None) or cluster[home].status()
    answers = Answers[ProcessOwner]()
    if not _can_be_asked(answers, owner):
        raise answers.errors[-1]
    return ProcessOwner(cluster[home], process)


def home_of(process: str, nodes: Iterable[str]) -> str:
    """The node on which a process is, by its id, which begins with the name of its node."""
    homes = [node for node in nodes if process.startswith(f"{node}.")]
    return max(homes, key=len, default="")


def node_to_start_on(cluster: Cluster, wanted: Spawning) -> Node:
    """The node that is asked to start a process: the one that it must run on, that of its
    supervisor, the preferred one, or the first that is ready. The node asked may choose another
    one."""
    if wanted.node is not None:
        return cluster[wanted.node]
    if wanted.under is not None:
        return owner_of(cluster, wanted.under).node
    nodes = [cluster[wanted.prefer]] if wanted.prefer is not None else []  # refuses an unknown name
    nodes += cluster.nodes
    ready = {one.name for one in cluster.status().nodes if one.is_ready}
    return next((one for one in nodes if one.name in ready and one.kind.has_processes()), nodes[0])


def _known(cluster: Cluster, node: str | None) -> Sequence[NodeStatus]:
    if node is not None:
        return [cluster[node].status()]
    return cluster.status().nodes


def _can_be_asked(answers: Answers[T], node: NodeStatus) -> bool:
    """A node that the keeper knows to be paused or down would only be waited for."""
    if node.is_ready:
        return True
    answers.add_error(node, explain(NodeUnavailable(f"{node.name} is not asked"), node))
    return False


def _most_informative(errors: Sequence[ClusterError]) -> ClusterError:
    """A node that should have answered tells more than one whose kind has no processes."""
    return next((error for error in errors if not isinstance(error, NotSupported)), errors[0])


def _not_found(answers: Answers[ProcessOwner]) -> ClusterError:
    """If some nodes know nothing of it, and others could not be asked, both are said."""
    gone = next((error for error in answers.errors if isinstance(error, ProcessGone)), None)
    if gone is None:
        return _most_informative(answers.errors)
    unasked = [
        f"{one.node} could not be asked: {one.why}"
        for one, error in zip(answers.unasked, answers.errors, strict=True)
        if not isinstance(error, ProcessGone | NotSupported)
    ]
    evidence = [*gone.evidence, *unasked]
    return ProcessGone(gone.problem, cause=gone.cause, evidence=evidence, remedies=gone.remedies)


def _ambiguous(name: str, homes: Mapping[str, str]) -> UsageError:
    """In Erlang, each node has registered names of its own."""
    some = min(homes.values())
    return UsageError(
        f"several nodes have a process with the name {name!r}",
        evidence=[f"{process} on {home}" for process, home in sorted(homes.items())],
        remedies=[f"say which one: by its id, or with --node {some}"],
    )
