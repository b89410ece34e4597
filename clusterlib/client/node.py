"""What a user holds of one node. It asks the keeper, or the node itself; it owns nothing but its connection to the node."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from clusterlib.client.arguments import seconds_of
from clusterlib.client.caller import caller_name
from clusterlib.client.condition import explain
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
from clusterlib.messages.requests import Kill, NodeRequest, Pause, Resume, Stacks, StartNode, StopNode
from clusterlib.messages.states import NodeState
from clusterlib.messages.status import NodeStatus
from clusterlib.runtime.client import CodeDigest, NodeClient
from clusterlib.waiting import Deadline, poll

if TYPE_CHECKING:
    from clusterlib.client.cluster import Cluster
    from clusterlib.drivers.beam.connection import Connection

__all__ = ["Node"]

T = TypeVar("T")
ANSWER_SECONDS = 10.0
LOOK_SECONDS = 1.0
MOST_STACK_LINES = 120
SEEN_SECONDS = 0.5
"""In which the keeper sees that a node has ended."""


class Node:
    """One node. What it is now is asked when it is asked for; nothing here goes stale."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        self.name = name
        self._client: NodeClient | None = None
        self._connection: Connection | None = None
        self.called: datetime | None = None
        """When code was last asked to run in it over this handle."""
        self.last_look: tuple[datetime, list[str]] | None = None
        """Its stacks at the moment when a call was given up, and that moment."""
        self._opening = threading.Lock()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Node {self.name} of cluster {self._cluster.name!r}>"

    # -- what it is now

    def status(self) -> NodeStatus:
        """State, reason, pid, address, host, ports, view, uptime, log file: as the keeper knows them."""
        found = self._cluster.status().node(self.name)
        if found is not None:
            return found
        raise NodeUnknown(
            f"cluster '{self._cluster.name}' has no node {self.name!r} any more",
            remedies=["invoke cluster.status"],
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
        """Where its HTTP endpoint answers."""
        node = self.status()
        if "http" not in node.ports:
            raise NotSupported(
                f"{self.name} has no port called http", cause=f"its ports are {_told(node.ports)}"
            )
        return f"http://{node.address}:{node.ports['http']}"

    def log(self) -> str:
        """Everything it has printed, with the time of each line."""
        return Path(self.status().log).read_text(encoding="utf-8", errors="replace")

    # -- what it can do

    def call(self, target: str, /, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        """Calls `package.module:function` in the node and gives back its result, or raises what it raised.

        In an Erlang node: `call("lists", "reverse", [[1, 2, 3]])`, with module, function and list of arguments."""
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
        if self._cluster.driver == "beam":
            return self._call_erlang(target, *args, timeout=self._limit(timeout), **kwargs)
        self.called = datetime.now(UTC)
        return self._ask_node(lambda node: node.call(target, args, kwargs, timeout=self._limit(timeout)))

    def _call_erlang(self, module: str, function: str, args: Sequence[Any] = (), *, timeout: float) -> Any:
        try:
            return self._erlang(timeout).call(module, function, args, timeout=timeout)
        except (NodeUnavailable, CallTimeout) as error:
            raise self._explained(error) from error

    def _erlang(self, timeout: float) -> Connection:
        """The connection to an Erlang node; one that ended with a former life of the node is replaced."""
        with self._opening:
            if self._connection is None or self._connection.lost is not None:
                self.close()
                self._connection = self._open(timeout)
            return self._connection

    def _open(self, timeout: float) -> Connection:
        from clusterlib.drivers.beam.connection import Connection

        node = self.status()
        if node.pid is None:
            raise NodeUnavailable(f"{self.name} cannot be called", cause="it has no process")
        cookie = self._cluster.cookie_file.read_text(encoding="ascii").strip()
        return Connection.open(node.facts["node"], cookie, port=node.ports["cluster"], timeout=timeout)

    def run(
        self, function: Callable[..., T], /, *args: Any, timeout: float | None = None, **kwargs: Any
    ) -> T:
        """Runs any callable in the node, closures and lambdas too."""
        self.called = datetime.now(UTC)
        result: T = self._ask_node(
            lambda node: node.run(function, args, kwargs, timeout=self._limit(timeout))
        )
        return result

    def stacks(self) -> list[str]:
        """What its code does at this moment: the stacks of its coroutines and threads, as lines. Also of one that hangs."""
        with contextlib.suppress(CallTimeout, NodeUnavailable):
            return list(self._talk().ask("stacks", timeout=LOOK_SECONDS))
        lines = self._cluster.keeper.ask(Stacks(self.name))
        return list(lines)

    def _look_at_stacks(self, interruption: BaseException | None) -> list[str]:
        """A look must not make anything worse: whoever is interrupted otherwise than by a time-out wants to be gone."""
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
        """The nodes this node sees alive, itself included."""
        if self._cluster.driver == "beam":
            return sorted(
                str(name).partition("@")[0] for name in self.call("clusterlib_node", "seen", timeout=timeout)
            )
        return list(self._ask_node(lambda node: node.members(timeout=self._limit(timeout))))

    def ping(self, timeout: float | None = None) -> float:
        """Seconds a round trip takes."""
        if self._cluster.driver == "beam":
            began = time.monotonic()
            self.call("erlang", "node", timeout=timeout)
            return time.monotonic() - began
        return float(self._ask_node(lambda node: node.ping(timeout=self._limit(timeout))))

    def digest(self) -> CodeDigest:
        """The project's modules this node has loaded, each with the digest of its source, and which are stale.

        In an Erlang node it is the digest of the compiled module."""
        if self._cluster.driver == "beam":
            return self._erlang_digest()
        return self._ask_node(lambda node: node.digest())

    def _erlang_digest(self) -> CodeDigest:
        from clusterlib.disk.code import modules_of

        modules = [[name, str(path)] for name, path in modules_of(self._cluster.sources).items()]
        found = self.call("clusterlib_node", "compare", [modules])
        running = {name.decode(): running.hex() for name, running, _ in found if isinstance(running, bytes)}
        stale = (name.decode() for name, running, on_disk in found if running != on_disk)
        return CodeDigest(running, tuple(sorted(stale)))

    # -- what can be done to it

    def stop(self) -> None:
        """Ends it in order, and returns once it is gone. It stays down until `start`; no restart policy revives it."""
        self._ask(StopNode, self._cluster.change_seconds)

    def start(self) -> None:
        """Starts it where it is down, and waits until it is back among the others."""
        self._ask(StartNode, self._cluster.change_seconds)

    def kill(self) -> None:
        """SIGKILL, as a crash. Returns once it is gone."""
        self._ask(Kill)

    def pause(self) -> None:
        self._ask(Pause)

    def resume(self) -> None:
        self._ask(Resume)

    def restart(self, *, fresh: bool = False) -> None:
        """Stops and starts it, and waits until it is back among the others. `fresh`: the data in its folder is deleted."""
        self._cluster.restart(self.name, fresh=fresh)

    def _ask(self, kind: type[NodeRequest], seconds: float = ANSWER_SECONDS) -> None:
        self._cluster.keeper.ask(kind(self.name, caller_name()), seconds=seconds)

    def _limit(self, timeout: float | None) -> float:
        if timeout is None:
            return self._cluster.call_seconds
        return seconds_of(timeout, 'node.call("package.module:function", timeout=5)')

    def _ask_node(self, ask: Callable[[NodeClient], T]) -> T:
        """Asks the node where it is; one that has moved, as somebody removed and added it, is asked where it is now."""
        client = self._talk()
        try:
            return ask(client)
        except (NodeUnavailable, CallTimeout) as error:
            if not isinstance(error.__cause__, ConnectionRefusedError) or not self._moved(client):
                raise self._explained(error) from error
        return ask(self._talk())

    def _explained(self, error: NodeUnavailable | CallTimeout) -> ClusterError:
        """The same error with what the keeper knows. It sees an end a moment later than the connection that breaks."""
        with contextlib.suppress(KeeperLost):
            broken = isinstance(error.__cause__, OSError)
            node = poll(self._unless_ready, Deadline(SEEN_SECONDS)) if broken else None
            node = node or self.status()
            error = explain(error, node, stopped=_is_stopped(node.pid))
        return error.of_cluster(self._cluster.name)

    def _unless_ready(self) -> NodeStatus | None:
        node = self.status()
        return None if node.is_ready else node

    def _talk(self) -> NodeClient:
        """The connection pool to the node."""
        known = self._client
        if known is not None:
            return known
        address, port = self._place()  # not under the lock: the answer may say that this very node is gone
        with self._lock:
            if self._client is None:
                self._client = NodeClient(self.name, address, port, str(self._cluster.cookie_file))
                self._client.unanswered = self._look_at_stacks
            return self._client

    def _moved(self, client: NodeClient) -> bool:
        if self._place() == (client.address, client.port):
            return False
        self.close()
        return True

    def _place(self) -> tuple[str, int]:
        node = self.status()
        if self._cluster.driver == "beam":
            raise NotSupported(
                f"{self.name} runs no Python: it is an Erlang node",
                remedies=['node.call("lists", "reverse", [[1, 2, 3]])  # module, function, arguments'],
            )
        if self._cluster.driver != "python":
            raise NotSupported(
                f"{self.name} takes no calls: it is a server program (driver {self._cluster.driver!r})",
                cause=f"its own client reaches it at {node.address}, ports {_told(node.ports)}",
                remedies=[
                    f"node.address and node.ports, for its client: {_example(node)}",
                    f"invoke cluster.shell {self.name}",
                ],
            ).of_cluster(self._cluster.name)
        return node.address, node.ports["cluster"]

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _is_stopped(pid: int | None) -> bool:
    found = Identity.of(pid) if pid is not None else None
    return found is not None and found.stopped


def _told(ports: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {port}" for name, port in ports.items())


def _example(node: NodeStatus) -> str:
    name = next(iter(node.ports), "client")
    return f'connect(node.address, node.ports["{name}"])'
