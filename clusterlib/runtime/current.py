"""`this_node()`: access for user code on a node to its node, and to the other nodes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from clusterlib.errors import NodeUnavailable, NodeUnknown, UsageError
from clusterlib.runtime.wire import CALL_SECONDS

if TYPE_CHECKING:
    from clusterlib.runtime.client import NodeClient
    from clusterlib.runtime.node import EmbeddedNode
    from clusterlib.runtime.processes.here import Processes

__all__ = ["ThisNode", "enter", "settle", "this_node"]

T = TypeVar("T")

_here: ContextVar[ThisNode] = ContextVar("clusterlib_this_node")
_whole_process: list[ThisNode] = []


def this_node() -> ThisNode:
    """The node on which this code runs.

    In simulated mode it is found through the context of the call."""
    node = _here.get(None)
    if node is None and _whole_process:
        node = _whole_process[0]
    if node is None:
        raise NodeUnavailable(
            "this code does not run on a node",
            cause="this_node() was called outside of a node, or in a thread that a simulated node does not know",
            remedies=["in a thread of your own: contextvars.copy_context().run(function)"],
        )
    return node


def enter(node: ThisNode) -> None:
    """Sets the node of this context, and of everything that is started in it."""
    _here.set(node)


def settle(node: ThisNode) -> None:
    """Sets the node of this whole process."""
    _whole_process[:] = [node]


class ThisNode:
    """A node, as the code on it sees it. Safe to use from any thread."""

    def __init__(self, node: EmbeddedNode) -> None:
        self._node = node
        self._clients: dict[str, NodeClient] = {}

    def __repr__(self) -> str:
        return f"<this_node {self.name} of {self.cluster}{' (simulated)' if self.simulated else ''}>"

    @property
    def name(self) -> str:
        return self._node.config.name

    @property
    def cluster(self) -> str:
        return self._node.config.cluster

    @property
    def directory(self) -> str:
        """A directory of this node."""
        return self._node.config.directory

    @property
    def simulated(self) -> bool:
        return self._node.config.simulated

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment of this node.

        Simulated nodes share a process, but not their environments.
        """
        return self._node.environment

    @property
    def processes(self) -> Processes:
        """The processes of the cluster: start them, send to them, find them by name."""
        from clusterlib.runtime.processes.here import Processes

        return Processes(lambda: self._node.processes, self._node.network.loop)

    def members(self) -> list[str]:
        """The names of the living nodes, from this node's point of view, including itself."""
        return list(self._node.membership.alive())

    def call(
        self, node: str, target: str, /, *args: Any, timeout: float | None = CALL_SECONDS, **kwargs: Any
    ) -> Any:
        """Calls `pkg.mod:function` on another node and waits for its result."""
        _refuse_on_a_loop("call")
        return self._client(node).call(target, args, kwargs, timeout)

    def run(
        self,
        node: str,
        function: Callable[..., T],
        /,
        *args: Any,
        timeout: float | None = CALL_SECONDS,
        **kwargs: Any,
    ) -> T:
        """Runs a function of this node on another node and waits for its result."""
        _refuse_on_a_loop("run")
        result: T = self._client(node).run(function, args, kwargs, timeout)
        return result

    async def call_async(
        self, node: str, target: str, /, *args: Any, timeout: float | None = CALL_SECONDS, **kwargs: Any
    ) -> Any:
        """`call` for coroutine functions."""
        import asyncio

        return await asyncio.to_thread(self.call, node, target, *args, timeout=timeout, **kwargs)

    async def run_async(
        self,
        node: str,
        function: Callable[..., T],
        /,
        *args: Any,
        timeout: float | None = CALL_SECONDS,
        **kwargs: Any,
    ) -> T:
        """`run` for coroutine functions."""
        import asyncio

        return await asyncio.to_thread(self.run, node, function, *args, timeout=timeout, **kwargs)

    def close(self) -> None:
        for client in list(self._clients.values()):
            client.close()

    def _client(self, name: str) -> NodeClient:
        from clusterlib.runtime.client import NodeClient

        peer = self._node.peers.get(name)
        if peer is None:
            raise NodeUnknown(
                f"{self.cluster} has no node {name!r}",
                remedies=[f"one of: {', '.join(sorted(self._node.peers))}"],
            )
        client = self._clients.get(name)
        if client is None or (client.address, client.port) != (peer.address, peer.port):
            client = NodeClient(name, peer.address, peer.port, self._node.config.cookie_file)
            self._clients[name] = client
        return client


def _refuse_on_a_loop(what: str) -> None:
    asyncio = sys.modules.get(
        "asyncio"
    )  # not imported here, because clients import this module without an event loop
    if asyncio is None or asyncio._get_running_loop() is None:  # noqa: SLF001  its public twin raises instead
        return
    raise UsageError(
        f"this_node().{what}() would block the event loop of the node",
        cause="it was called from a coroutine function",
        remedies=[f"await this_node().{what}_async(...)"],
    )
