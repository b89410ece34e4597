"""Starts nodes again that ended by themselves, according to the restart policy."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from clusterlib.errors import ClusterError
from clusterlib.keeper.event_log import Tell
from clusterlib.keeper.members import Members
from clusterlib.keeper.node import ManagedNode
from clusterlib.keeper.restarts import Restarts
from clusterlib.messages.events import NodeAbandoned, NodeRestartFailed, NodeRestarting
from clusterlib.messages.plan import RestartPolicy
from clusterlib.messages.recorded import RecordedError
from clusterlib.messages.states import NodeState
from clusterlib.waiting import pause_async

__all__ = ["Changes", "Revival"]


class Changes(Protocol):
    """What it needs from the keeper: the right to change the cluster, and background tasks."""

    def alone(self) -> AbstractAsyncContextManager[None]: ...
    def spawn(self, work: Coroutine[Any, Any, None]) -> None: ...


class Revival:
    def __init__(
        self, policy: RestartPolicy, members: Members, changes: Changes, tell: Tell, save: Callable[[], None]
    ) -> None:
        self._restarts = Restarts(policy)
        self._members = members
        self._changes = changes
        self._tell = tell
        self._save = save

    def crashed(self, node: ManagedNode, why: str, *, clean: bool) -> None:
        """Records the crash, and starts the node again after a pause, or gives it up."""
        if not self._restarts.wanted(clean=clean):
            return
        pause = self._restarts.next_pause(node.name)
        if pause is None:
            node.reason = f"{why}; {self._restarts}"
            self._tell(NodeAbandoned(node.name, node.reason))
            return
        node.state = NodeState.WAITING
        self._tell(NodeRestarting(node.name, why, pause))
        self._changes.spawn(self._revive(node, pause))

    async def _revive(self, node: ManagedNode, pause: float) -> None:
        await pause_async(pause)
        async with self._changes.alone():
            if self._members.nodes.get(node.name) is not node or node.state is not NodeState.WAITING:
                return  # it was restarted or removed meanwhile
            try:
                await self._members.prepare([node])
                await self._members.bring_up([node], together=False)
            except ClusterError as error:
                self._tell(NodeRestartFailed(node.name, RecordedError.of(error)))
                node.state = NodeState.DEAD
                self.crashed(node, error.problem, clean=False)
            finally:
                self._save()
