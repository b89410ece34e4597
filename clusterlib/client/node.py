"""A user's handle on one node.

It asks the keeper, or the node itself, and owns nothing but its connection to the node."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from clusterlib.client.arguments import seconds_of
from clusterlib.client.caller import caller_name
from clusterlib.client.condition import explain
from clusterlib.drivers.calls import Evaluation, NodeCalls, ports_in_words
from clusterlib.drivers.place import Place
from clusterlib.drivers.registry import calls_of
from clusterlib.errors import (
    CallTimeout,
    ClusterError,
    KeeperLost,
    NodeUnavailable,
    NodeUnknown,
    NotSupported,
    UsageError,
    WrongType,
)
from clusterlib.hosts.identity import Identity
from clusterlib.messages.observed import Activity, Samples
from clusterlib.messages.requests import (
    Kill,
    NodeRequest,
    Observe,
    Pause,
    Resume,
    Stacks,
    StartNode,
    StopNode,
)
from clusterlib.messages.states import NodeState
from clusterlib.messages.status import NodeStatus, RoleStatus
from clusterlib.remedies import do
from clusterlib.runtime.client import CodeDigest
from clusterlib.waiting import Deadline, poll

if TYPE_CHECKING:
    from clusterlib.client.cluster import Cluster
    from clusterlib.drivers.processes import ProcessCalls

__all__ = ["Node"]

T = TypeVar("T")
ANSWER_SECONDS = 10.0
LOOK_SECONDS = 1.0
MOST_STACK_LINES = 120
SEEN_SECONDS = 0.5
"""The time in which the keeper notices that a node has ended."""


class Node:
    """One node. Each property is requested when it is used, so nothing here is outdated."""

    def __init__(self, cluster: Cluster, name: str, role: RoleStatus) -> None:
        self._cluster = cluster
        self.name = name
        self.role = role.name
        self.called: datetime | None = None
        """When this handle last started code in it."""
        self.last_look: tuple[datetime, list[str]] | None = None
        """Its stacks at the moment when a call was abandoned, and that moment."""
        self._place = Place(
            name=name,
            cluster=cluster.name,
            driver=role.driver,
            cookie_file=cluster.cookie_file,
            sources=role.sources,
            status=self.status,
            look=self._look_at_stacks,
        )

    @cached_property
    def kind(self) -> type[NodeCalls]:
        """What clients can do with it. This loads its driver, which may be broken, so what ends or
        shows a cluster does not ask for it."""
        return calls_of(self._place.driver, self._place.sources.roots)

    @cached_property
    def _calls(self) -> NodeCalls:
        return self.kind(self._place)

    def __repr__(self) -> str:
        return f"<Node {self.name} of cluster {self._cluster.name!r}>"

    # -- what it is now

    def status(self) -> NodeStatus:
        """State, reason, pid, address, host, ports, view, uptime, log file: as the keeper knows
        them.
        """
        found = self._cluster.status().node(self.name)
        if found is not None:
            return found
        raise NodeUnknown(
            f"cluster '{self._cluster.name}' has no node {self.name!r} any more",
            remedies=[do("cluster.status")],
        ).of_cluster(self._cluster.name)

    @property
    def state(self) -> NodeState:
        return self.status().state

    @property
    def pid(self) -> int | None:
        return self.status().pid

    @property
    def address(self) -> str:
        return self.status().address

    @property
    def host(self) -> str:
        return self.status().host

    @property
    def ports(self) -> dict[str, int]:
        return dict(self.status().ports)

    @property
    def url(self) -> str:
        """The address of its HTTP endpoint."""
        node = self.status()
        if "http" not in node.ports:
            raise NotSupported(
                f"{self.name} has no port called http", cause=f"its ports are {ports_in_words(node.ports)}"
            )
        return f"http://{node.address}:{node.ports['http']}"

    def log(self) -> str:
        """Everything it has printed, with the time of each line."""
        return Path(self.status().log).read_text(encoding="utf-8", errors="replace")

    # -- calls

    def call(self, target: str, /, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        """Calls `package.module:function` in the node and returns its result, or raises its
        exception.

        In an Erlang node: `call("lists", "reverse", [[1, 2, 3]])`, with module, function and list
        of arguments.
        """
        if not isinstance(target, str):
            raise WrongType(
                f"what is called in {self.name} is named, not {target!r}",
                remedies=[
                    'node.call("package.module:function", 1, 2)',
                    "node.run(function, 1, 2)  # the function itself",
                ],
            )
        if not target:
            raise UsageError(
                f"what is called in {self.name} has no name",
                remedies=['node.call("package.module:function", 1, 2)'],
            )
        self.called = datetime.now(UTC)
        return self._asked(lambda: self._calls.call(target, args, kwargs, self._limit(timeout)))

    def run(
        self, function: Callable[..., T], /, *args: Any, timeout: float | None = None, **kwargs: Any
    ) -> T:
        """Runs any callable in the node, including closures and lambdas."""
        self.called = datetime.now(UTC)
        result: T = self._asked(lambda: self._calls.run(function, args, kwargs, self._limit(timeout)))
        return result

    def stacks(self) -> list[str]:
        """What its code does at this moment: the stacks of its coroutines and threads, as lines.

        Works for a node that hangs, too.
        """
        with contextlib.suppress(CallTimeout, NodeUnavailable):
            found = self._calls.stacks(LOOK_SECONDS)
            if found is not None:
                return found
        return self._dump()

    def activity(self) -> Activity:
        """What its threads and its tasks do at this moment, also if its event loop is blocked."""
        from clusterlib.client.observing import observed_activity

        return observed_activity(self.name, self._folder, self._wake, self._dump)

    def samples(self, seconds: float = 5.0, rate: float = 100.0) -> Samples:
        """The stacks of its threads, `rate` times in a second. Ends with this process."""
        from clusterlib.client.observing import observed_samples

        return observed_samples(self.name, self._folder, self._wake, self._dump, seconds=seconds, rate=rate)

    @property
    def _folder(self) -> Path:
        return self._cluster.run_folder.node(self.name)

    def _wake(self) -> None:
        self._cluster.keeper.ask(Observe(self.name))

    def _dump(self) -> list[str]:
        lines = self._cluster.keeper.ask(Stacks(self.name))
        return list(lines)

    def _look_at_stacks(self, interruption: BaseException | None) -> list[str]:
        """Must not cause more problems: after an interrupt other than a time-out, the user wants to
        leave at once.
        """
        is_timeout = (
            interruption is None or "timeout" in f"{type(interruption).__name__} {interruption}".lower()
        )
        if not is_timeout:
            return []
        lines: list[str] = []
        with contextlib.suppress(ClusterError):
            lines = self.stacks()[:MOST_STACK_LINES]
        self.last_look = datetime.now(UTC), lines
        return [f"what {self.name} does now:", *lines] if lines else []

    def members(self, timeout: float | None = None) -> list[str]:
        """The nodes that this node sees alive, including itself."""
        return self._asked(lambda: self._calls.members(self._limit(timeout)))

    def ping(self, timeout: float | None = None) -> float:
        """Seconds that a round trip takes."""
        return self._asked(lambda: self._calls.ping(self._limit(timeout)))

    def digest(self) -> CodeDigest:
        """The project's modules that this node has loaded, with the digests of their sources, and
        which are stale.

        In an Erlang node it is the digest of the compiled module.
        """
        return self._asked(lambda: self._calls.digest(self._limit(None)))

    # -- what else it can be asked

    def ask(self, question: Callable[[NodeStatus], T]) -> T:
        """Asks it in a way that its caller knows. To NodeUnavailable and CallTimeout is added what
        the keeper knows of the node."""
        return self._asked(lambda: question(self.status()))

    # -- its processes

    def ask_processes(self, ask: Callable[[ProcessCalls], T]) -> T:
        """Asks it about its processes, or has it do something with them."""
        return self._asked(lambda: ask(self._calls.processes))

    # -- a shell in it

    def evaluate(self, session: str, source: str, timeout: float) -> Evaluation:
        """Runs code as typed in a shell. Names are kept from one call of a session to the next."""
        return self._asked(lambda: self._calls.evaluate(session, source, timeout))

    def complete(self, session: str, text: str, timeout: float) -> list[str]:
        """Names in the session that complete the text."""
        return self._asked(lambda: self._calls.complete(session, text, timeout))

    def forget(self, session: str, timeout: float) -> None:
        """Ends the session."""
        self._asked(lambda: self._calls.forget(session, timeout))

    # -- changing it

    def stop(self) -> None:
        """Ends it in order, and returns once it is gone.

        It stays down until `start`; the restart policy does not revive it.
        """
        self._ask(StopNode, self._cluster.change_seconds)

    def start(self) -> None:
        """Starts it if it is down, and waits until it has rejoined the others."""
        self._ask(StartNode, self._cluster.change_seconds)

    def kill(self) -> None:
        """Sends SIGKILL, like a crash. Returns once it is gone."""
        self._ask(Kill)

    def pause(self) -> None:
        self._ask(Pause)

    def resume(self) -> None:
        self._ask(Resume)

    def restart(self, *, fresh: bool = False) -> None:
        """Restarts it, and waits until it has rejoined the others.

        `fresh`: the data in its folder is deleted.
        """
        self._cluster.restart(self.name, fresh=fresh)

    def _ask(self, kind: type[NodeRequest], seconds: float = ANSWER_SECONDS) -> None:
        self._cluster.keeper.ask(kind(self.name, caller_name()), seconds=seconds)

    def _limit(self, timeout: float | None) -> float:
        if timeout is None:
            return self._cluster.call_seconds
        return seconds_of(timeout, 'node.call("package.module:function", timeout=5)')

    def _asked(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except (NodeUnavailable, CallTimeout) as error:
            raise self._explained(error) from error

    def _explained(self, error: NodeUnavailable | CallTimeout) -> ClusterError:
        """The same error with what the keeper knows.

        It notices an end a moment later than the connection that breaks.
        """
        with contextlib.suppress(KeeperLost):
            broken = isinstance(error.__cause__, OSError)
            node = poll(self._unless_ready, Deadline(SEEN_SECONDS)) if broken else None
            node = node or self.status()
            error = explain(error, node, stopped=_is_stopped(node.pid))
        return error.of_cluster(self._cluster.name)

    def _unless_ready(self) -> NodeStatus | None:
        node = self.status()
        return None if node.is_ready else node

    def close(self) -> None:
        if "_calls" in self.__dict__:
            self._calls.close()


def _is_stopped(pid: int | None) -> bool:
    found = Identity.of(pid) if pid is not None else None
    return found is not None and found.stopped
