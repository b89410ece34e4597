"""What a user holds: a cluster and its nodes. Handles ask the keeper; they own nothing but their connections."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from clusterlib.errors import KeeperLost, LeftBehind, NodeUnavailable, NodeUnknown, NotInTime, NotSupported
from clusterlib.hosts.identity import Identity
from clusterlib.hosts.launch import reap
from clusterlib.lifecycle.client import KeeperClient, Listener
from clusterlib.lifecycle.folders import RunFolder
from clusterlib.lifecycle.lock import ClusterLock
from clusterlib.runtime.client import CodeDigest, NodeClient
from clusterlib.waiting import Deadline, poll

__all__ = ["Cluster", "Node"]

T = TypeVar("T")
SETTLING = 5.0


class Node:
    """One node. What it is now is asked when it is asked for; nothing here goes stale."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        self.name = name
        self._client: NodeClient | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Node {self.name} of cluster {self._cluster.name!r}>"

    # -- what it is now

    def describe(self) -> dict[str, Any]:
        """State, reason, pid, address, host, ports, view, uptime, log file: as the keeper knows them."""
        for node in self._cluster.status()["nodes"]:
            if node["name"] == self.name:
                return dict(node)
        raise NodeUnknown(
            f"cluster '{self._cluster.name}' has no node {self.name!r} any more",
            remedies=["invoke cluster.status"],
        )

    @property
    def state(self) -> str:
        return str(self.describe()["state"])

    @property
    def pid(self) -> int | None:
        pid: int | None = self.describe()["pid"]
        return pid

    @property
    def address(self) -> str:
        return str(self.describe()["address"])

    @property
    def host(self) -> str:
        return str(self.describe()["host"])

    @property
    def ports(self) -> dict[str, int]:
        return dict(self.describe()["ports"])

    @property
    def url(self) -> str:
        """Where its HTTP endpoint answers."""
        node = self.describe()
        return f"http://{node['address']}:{node['ports']['http']}"

    def log(self) -> str:
        """Everything it has printed, with the time of each line."""
        return Path(self.describe()["log"]).read_text(encoding="utf-8", errors="replace")

    # -- what it can do

    def call(self, target: str, /, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        """Calls `package.module:function` in the node and gives back its result, or raises what it raised."""
        return self._ask_node(lambda node: node.call(target, args, kwargs, timeout=self._limit(timeout)))

    def run(
        self, function: Callable[..., T], /, *args: Any, timeout: float | None = None, **kwargs: Any
    ) -> T:
        """Runs any callable in the node, closures and lambdas too."""
        result: T = self._ask_node(
            lambda node: node.run(function, args, kwargs, timeout=self._limit(timeout))
        )
        return result

    def members(self, timeout: float | None = None) -> list[str]:
        """The nodes this node sees alive, itself included."""
        return list(self._ask_node(lambda node: node.members(timeout=self._limit(timeout))))

    def ping(self, timeout: float | None = None) -> float:
        """Seconds a round trip takes."""
        return float(self._ask_node(lambda node: node.ping(timeout=self._limit(timeout))))

    def digest(self) -> CodeDigest:
        """The project's modules this node has loaded, each with the digest of its source, and which are stale."""
        return self._ask_node(lambda node: node.digest())

    # -- what can be done to it

    def kill(self) -> None:
        """SIGKILL, as a crash. Returns once it is gone."""
        self._ask("kill")

    def pause(self) -> None:
        self._ask("pause")

    def resume(self) -> None:
        self._ask("resume")

    def restart(self) -> None:
        """Stops and starts it, and waits until it is back among the others."""
        self._cluster.restart(self.name)

    def _ask(self, op: str) -> None:
        self._cluster.keeper.request(op, name=self.name)

    def _limit(self, timeout: float | None) -> float:
        return self._cluster.call_seconds if timeout is None else timeout

    def _ask_node(self, ask: Callable[[NodeClient], T]) -> T:
        """Asks the node where it is; one that has moved, as somebody removed and added it, is asked where it is now."""
        client = self._talk()
        try:
            return ask(client)
        except NodeUnavailable as error:
            if not isinstance(error.__cause__, ConnectionRefusedError) or not self._moved(client):
                raise
        return ask(self._talk())

    def _talk(self) -> NodeClient:
        """The connection pool to the node."""
        known = self._client
        if known is not None:
            return known
        address, port = self._place()  # not under the lock: the answer may say that this very node is gone
        with self._lock:
            if self._client is None:
                self._client = NodeClient(self.name, address, port, str(self._cluster.cookie_file))
            return self._client

    def _moved(self, client: NodeClient) -> bool:
        if self._place() == (client.address, client.port):
            return False
        self.close()
        return True

    def _place(self) -> tuple[str, int]:
        node = self.describe()
        if "cluster" not in node["ports"]:
            raise NotSupported(f"{self.name} is a node of driver {self._cluster.driver!r}: it takes no calls")
        return str(node["address"]), int(node["ports"]["cluster"])

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None


class Cluster:
    """A running cluster. As a context manager it hands back its lease at the end, which ends a cluster nobody else holds."""

    def __init__(
        self, keeper: KeeperClient, status: Mapping[str, Any], lock: ClusterLock, notes: tuple[str, ...] = ()
    ) -> None:
        self.keeper = keeper
        self.name = str(status["name"])
        self.profile = str(status["profile"])
        self.project = Path(status["project"])
        self.driver = str(status["driver"])
        self.simulated = bool(status["simulated"])
        self.run_folder = RunFolder(Path(status["run"]))
        self.cookie_file = Path(status["cookie_file"])
        self.call_seconds = float(status["timeouts"]["call"])
        self.notes = notes
        """What `up` has to say besides success: that the cluster ran already, or was restarted for new code."""
        self._timeouts = dict(status["timeouts"])
        self._guard = int(status["keeper"]["guard"])
        seen = (Identity.of(int(status["keeper"][who])) for who in ("pid", "guard"))
        self._holders = [holder for holder in seen if holder is not None]
        self._lock = lock
        self._gone = False
        self._nodes: dict[str, Node] = {}
        self._meet(status)

    def __repr__(self) -> str:
        mark = " simulated" if self.simulated else ""
        return f"<Cluster {self.name!r} of {len(self._nodes)}{mark} nodes, profile {self.profile!r}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- its nodes

    @property
    def nodes(self) -> list[Node]:
        """Its nodes, as of the last time that anything was asked about them."""
        return list(self._nodes.values())

    def __getitem__(self, name: str) -> Node:
        if name not in self._nodes and not self._gone:
            self.status()  # somebody else may have added it
        try:
            return self._nodes[name]
        except KeyError:
            raise NodeUnknown(
                f"cluster '{self.name}' has no node {name!r}",
                evidence=[f"its nodes: {', '.join(self._nodes)}"],
                remedies=["invoke cluster.status"],
            ) from None

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    # -- what it is now

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.keeper.request("status")
        self._meet(status)
        return status

    @property
    def state(self) -> str:
        return str(self.status()["state"])

    def wait_until(self, condition: Callable[[], Any], timeout: float = 10.0, what: str | None = None) -> Any:
        """Waits until the condition gives something true, and gives that back. An exception in it is not a no."""
        answer = poll(condition, Deadline(timeout))
        if not answer:
            what = what or getattr(condition, "__name__", "the condition").replace(
                "<lambda>", "the condition"
            )
            nodes = [
                f"{n['name']}: {n['state']}, sees {', '.join(n['view']) or 'nobody'}"
                for n in self.status()["nodes"]
            ]
            raise NotInTime(f"{what} did not come true within {timeout:g} s", evidence=nodes)
        return answer

    def wait_ready(self, timeout: float = 10.0) -> None:
        """Waits until every node lives and sees every other."""
        self.wait_until(lambda: self.state == "ready", timeout, f"cluster '{self.name}' whole and ready")

    # -- what can be done to it

    def restart(
        self, *names: str, on_event: Listener | None = None, code: dict[str, str] | None = None
    ) -> None:
        """Restarts these nodes, or all; they run the project's code as it is now."""
        self._change("restart", on_event, names=list(names), code=code)

    def scale(self, count: int, on_event: Listener | None = None) -> None:
        """Adds or removes nodes until there are `count`, while the others go on."""
        self._change("scale", on_event, count=count)

    def down(self, reason: str = "asked to") -> None:
        """Ends the cluster and returns when its processes are really gone. One that is gone already is a success."""
        if self._gone:
            return
        try:
            self.keeper.request("down", seconds=self._down_seconds(), reason=reason)
        except KeeperLost:
            if not self._is_gone():
                raise
        self._await_end()

    def close(self) -> None:
        """Hands back the lease. A cluster that lives by leases ends with its last; that end is waited for."""
        if self._gone:
            return
        try:
            ended = self.keeper.request("release", seconds=self._down_seconds())["ended"]
        except KeeperLost:
            self._let_go()
            if self._is_gone():
                return
            raise
        except BaseException:
            self._let_go()
            raise
        if ended:
            self._await_end()
        else:
            self._let_go()

    def keep(self) -> None:
        """From now on the cluster lives until somebody calls `down`, whoever holds it."""
        self._meet(self.keeper.request("keep")["status"])

    def _let_go(self) -> None:
        self._gone = True
        for node in self._nodes.values():
            node.close()
        self.keeper.close()

    def _change(self, op: str, on_event: Listener | None, **arguments: Any) -> None:
        seconds = self._timeouts["start"] + self._down_seconds()
        self._meet(self.keeper.request(op, seconds=seconds, on_event=on_event, **arguments))

    def _meet(self, status: Mapping[str, Any]) -> None:
        """Learns who its nodes are now."""
        self.held = bool(status["held"])
        known = self._nodes
        names = [str(node["name"]) for node in status["nodes"]]
        self._nodes = {name: known.get(name) or Node(self, name) for name in names}
        for name in known.keys() - set(names):
            known[name].close()

    def _down_seconds(self) -> float:
        return float(self._timeouts["stop"]) + 15.0

    def _is_gone(self) -> bool:
        return self._lock.wait_free(Deadline(SETTLING), self._holders)

    def _await_end(self) -> None:
        """The lock is held by the keeper and its guard; once it is free both are gone, and with them all they kept."""
        self._let_go()
        if not self._is_gone():
            raise LeftBehind(
                f"the keeper of cluster '{self.name}' said goodbye but is still there",
                remedies=[
                    f"ps -o pid,ppid,stat,etime,cmd -u {os.getuid()} | grep clusterlib.lifecycle",
                    "invoke cluster.clean",
                ],
            )
        reap(self._guard)
