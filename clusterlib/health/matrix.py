"""The health matrix: every check on every node, all nodes at the same time, within a hard limit.

    connectivity  ping, rpc, cookie
    application   started, serving, operations
    cluster       formed (it sees every other), reach (a call to its neighbour, with the latency)
    performance   memory, cpu

A node that cannot answer does not delay the others: an answer that is late is a finding, too."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from clusterlib.errors import ClusterError
from clusterlib.frozen import frozen
from clusterlib.health.expectation import Expected
from clusterlib.messages.findings import CheckOutcome, Finding, failed, ok, skipped, warning
from clusterlib.messages.states import NodeState
from clusterlib.remedies import DEFAULT_CLUSTER, Remedy, do
from clusterlib.waiting import Deadline

__all__ = [
    "COLUMNS",
    "LEAST",
    "SPARE",
    "NodeHealth",
    "ProcessUsage",
    "Subject",
    "Talk",
    "aside",
    "examine",
    "measure",
    "unfit",
]

COLUMNS: tuple[tuple[str, str], ...] = (
    ("connectivity", "ping"),
    ("connectivity", "rpc"),
    ("connectivity", "cookie"),
    ("application", "started"),
    ("application", "serving"),
    ("application", "operations"),
    ("cluster", "formed"),
    ("cluster", "reach"),
    ("performance", "memory"),
    ("performance", "cpu"),
)
LONGEST_ANSWER = 1.5
LEAST = 0.05
SPARE = 0.3
"""Part of the limit that is reserved for assembling the matrix."""


class Talk(Protocol):
    """A conversation with one node."""

    def ping(self, timeout: float | None = None) -> float: ...
    def call(self, target: str, /, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any: ...
    def run(self, function: Callable[..., Any], /, *args: Any, timeout: float | None = None) -> Any: ...
    def members(self, timeout: float | None = None) -> list[str]: ...


@frozen
class ProcessUsage:
    """The memory and CPU of a node's process."""

    memory: int
    cpu_percent: float
    stopped: bool = False
    """By a signal from outside: it is alive but does not respond."""


@frozen
class Subject:
    """A node as the keeper knows it, and how to connect to it."""

    name: str
    role: str
    state: NodeState
    reason: str
    pid: int | None
    expected: Expected | None
    """The expected memory of its process; None if it is neither written nor measured."""
    talk: Talk
    serving: Callable[[float], str | None]
    """Asks the node's health endpoint, within so many seconds.

    None if all is well, else the problem."""
    usage: Callable[[], ProcessUsage | None]


@frozen
class NodeHealth:
    name: str
    state: NodeState
    checks: Mapping[str, Finding]

    @property
    def healthy(self) -> bool:
        return all(finding.outcome is not CheckOutcome.FAILED for finding in self.checks.values())


def examine(subjects: Sequence[Subject], seconds: float, cluster: str = DEFAULT_CLUSTER) -> list[NodeHealth]:
    """Checks all nodes at once, and returns within `seconds`. Nodes see those of their role.

    `cluster` is the one that remedies are about."""
    deadline = Deadline(max(LEAST, seconds - SPARE))
    answers: queue.SimpleQueue[NodeHealth] = queue.SimpleQueue()
    for subject in subjects:
        members = [one for one in subjects if one.role == subject.role]
        examination = _Examination(subject, members, deadline, cluster)
        aside(lambda one=examination: answers.put(one.carry_out()))  # type: ignore[misc]
    found: dict[str, NodeHealth] = {}
    while len(found) < len(subjects):
        try:
            health = answers.get(timeout=max(LEAST, deadline.left))
        except queue.Empty:
            break
        found[health.name] = health
    return [found.get(subject.name) or _silent(subject, seconds, cluster) for subject in subjects]


def aside(work: Callable[[], None]) -> None:
    """Runs in a thread. If the user may not have more threads, runs here, one after another."""
    try:
        threading.Thread(target=work, daemon=True).start()
    except RuntimeError:
        work()


class _Examination:
    """All checks of one node, in an order in which each depends only on earlier ones."""

    def __init__(
        self, subject: Subject, members: Sequence[Subject], deadline: Deadline, cluster: str
    ) -> None:
        self._node = subject
        self._names = [one.name for one in members]
        self._ring = [one.name for one in members if one is subject or one.state is NodeState.READY]
        self._paused = {one.name for one in members if one.state is NodeState.PAUSED}
        self._deadline = deadline
        self._cluster = cluster
        self._checks: dict[str, Finding] = {}

    def carry_out(self) -> NodeHealth:
        why = unfit(self._node, self._cluster)
        if why is not None:
            self._checks["started"] = why
            self._skip(f"{self._node.name} is {self._node.state}")
        elif self._connects():
            self._ask("rpc", self._rpc)
            self._checks["started"] = ok("started", self._node.state)
            self._ask("serving", self._serving)
            self._ask("operations", self._operations)
            self._ask("formed", self._formed)
            self._ask("reach", self._reach)
        self._measure()
        self._skip("not reachable")
        return NodeHealth(
            self._node.name, self._node.state, {name: self._checks[name] for _, name in COLUMNS}
        )

    @property
    def _limit(self) -> float:
        return round(max(LEAST, min(LONGEST_ANSWER, self._deadline.left)), 2)

    def _connects(self) -> bool:
        """The first message to a node is the handshake, in which both sides prove the cookie; the
        second is the ping.
        """
        try:
            self._node.talk.ping(timeout=self._limit)
            self._checks["cookie"] = ok("cookie", "ok")
            seconds = self._node.talk.ping(timeout=self._limit)
        except Exception as error:  # noqa: BLE001 - whatever keeps us from talking to it is the finding
            text = _words_of(error)
            about_cookie = "cookie" in text.lower()
            self._checks["cookie" if about_cookie else "ping"] = failed(
                "cookie" if about_cookie else "ping",
                text,
                *_advice(self._node, self._cluster),
            )
            return False
        self._checks["ping"] = ok("ping", _milliseconds(seconds))
        return True

    def _rpc(self) -> Finding:
        answer = self._node.talk.call("operator:add", 40, 2, timeout=self._limit)
        return ok("rpc", "ok") if answer == 42 else failed("rpc", f"40 + 2 is {answer!r} there")

    def _serving(self) -> Finding:
        problem = self._node.serving(self._limit)
        return ok("serving", "ok") if problem is None else failed("serving", problem, *self._look())

    def _operations(self) -> Finding:
        """The node executes work that is sent to it."""
        doer = self._node.talk.call("clusterlib.health.remote:who_am_i", timeout=self._limit)
        closure = self._node.talk.run(lambda: sum(range(10)), timeout=self._limit)
        if (doer, closure) != (self._node.name, 45):
            return failed("operations", f"work for {self._node.name} was done by {doer}", *self._look())
        return ok("operations", "ok")

    def _formed(self) -> Finding:
        seen = set(self._node.talk.members(timeout=self._limit))
        text = f"{len(seen)}/{len(self._names)}"
        missing = [name for name in self._names if name not in seen]
        if missing:
            shown = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
            undone_by = "cluster.resume" if missing[0] in self._paused else "cluster.restart"
            return failed(
                "formed",
                f"{text}: it does not see {shown}",
                do(undone_by, missing[0]).of_cluster(self._cluster),  # the same as in its own row
            )
        return ok("formed", text)

    def _reach(self) -> Finding:
        """In a ring: each node calls the next ready one, so each calls and is called, and the cost
        grows with n.
        """
        if len(self._ring) < 2:
            return skipped("reach", "no other node is ready")
        peer = self._ring[(self._ring.index(self._node.name) + 1) % len(self._ring)]
        limit = self._limit
        try:
            seconds = self._node.talk.call("clusterlib.health.remote:round_trip", peer, limit, timeout=limit)
        except Exception as error:  # noqa: BLE001
            return failed("reach", f"{peer} does not answer it: {_words_of(error)}", *self._look())
        return ok("reach", _milliseconds(seconds))

    def _measure(self) -> None:
        usage = self._node.usage() if self._node.pid is not None else None
        if usage is None:
            return
        self._checks |= measure(usage, self._node.expected, *self._look())
        if (
            usage.stopped
            and self._node.state is not NodeState.PAUSED
            and "ping" in self._checks
            and self._node.pid
        ):
            self._checks["ping"] = failed(
                "ping", "its process was stopped by a signal from outside", f"kill -CONT {self._node.pid}"
            )

    def _ask(self, name: str, question: Callable[[], Finding]) -> None:
        try:
            self._checks[name] = question()
        except Exception as error:  # noqa: BLE001 - whatever went wrong is the finding
            self._checks[name] = failed(name, _words_of(error), *self._look())

    def _skip(self, why: str) -> None:
        for _, name in COLUMNS:
            if name not in {"memory", "cpu"} or self._node.pid is None:
                self._checks.setdefault(name, skipped(name, why))
            else:
                self._checks.setdefault(name, skipped(name, "not measured"))

    def _look(self) -> tuple[Remedy, ...]:
        return (do("cluster.logs", self._node.name).of_cluster(self._cluster),)


def measure(usage: ProcessUsage, expected: Expected | None, *look: str) -> dict[str, Finding]:
    """What a process takes, and whether this is more than expected."""
    memory = ok("memory", f"{usage.memory / 2**20:.0f} MiB")
    excess = expected.exceeded_by(usage.memory) if expected else ""
    if excess:
        memory = warning("memory", f"{memory.evidence}, {excess}", *look)
    return {"memory": memory, "cpu": ok("cpu", f"{usage.cpu_percent:.1f} %")}


def unfit(node: Subject, cluster: str) -> Finding | None:
    """Nodes that the keeper knows to be down are not asked, only reported."""
    if node.state is NodeState.READY:
        return None
    text = f"{node.name} is {node.state}" + (f": {node.reason}" if node.reason else "")
    if node.state in {NodeState.STARTING, NodeState.WAITING}:
        return failed("started", text, do("cluster.logs", node.name, follow=True).of_cluster(cluster))
    return failed("started", text, *_advice(node, cluster))


def _advice(node: Subject, cluster: str) -> tuple[Remedy, ...]:
    return tuple(remedy.of_cluster(cluster) for remedy in _remedies(node))


def _remedies(node: Subject) -> tuple[Remedy, ...]:
    if node.state is NodeState.PAUSED:
        return (do("cluster.resume", node.name),)
    if node.state is NodeState.STOPPED:
        return (do("cluster.start", node.name),)
    return do("cluster.logs", node.name), do("cluster.restart", node.name)


def _silent(node: Subject, seconds: float, cluster: str) -> NodeHealth:
    checks = {name: skipped(name, "no answer") for _, name in COLUMNS}
    checks["ping"] = failed("ping", f"no answer within {seconds:g} s", *_advice(node, cluster))
    return NodeHealth(node.name, node.state, checks)


def _words_of(error: Exception) -> str:
    if isinstance(error, ClusterError):
        return error.problem + (f" ({error.cause})" if error.cause else "")
    return f"{type(error).__name__}: {error}"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"
