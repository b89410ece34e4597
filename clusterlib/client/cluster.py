"""A user's handles on a cluster and its nodes.

Handles ask the keeper; they own nothing but their connections."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from clusterlib.client.arguments import check_flag, check_scale, check_type, seconds_of
from clusterlib.client.connection import KILLING_SECONDS, KeeperClient, Listener
from clusterlib.client.handles import NodeHandles
from clusterlib.client.node import Node
from clusterlib.client.operated import Operated
from clusterlib.errors import (
    ClusterConflict,
    ClusterError,
    KeeperLost,
    LeftBehind,
    NotInTime,
    UsageError,
)
from clusterlib.hosts.identity import Identity
from clusterlib.hosts.launch import reap
from clusterlib.messages.requests import (
    Down,
    EndTurn,
    FlushLogs,
    Heal,
    Keep,
    Load,
    Release,
    Request,
    Restart,
    Scale,
    StatusRequest,
    TakeTurn,
)
from clusterlib.messages.states import ClusterState
from clusterlib.messages.status import ClusterStatus, TurnGiven
from clusterlib.remedies import do
from clusterlib.rundir.folders import RunFolder
from clusterlib.rundir.lock import ClusterLock
from clusterlib.waiting import Deadline, poll

if TYPE_CHECKING:
    from clusterlib.messages.status import Peak, RoleStatus

__all__ = ["Cluster", "Node"]

ANSWER_SECONDS = 10.0
SETTLING = 5.0


class Cluster(Operated):
    """A running cluster. As a context manager it releases its lease at the end, which ends the
    cluster if it was the last one."""

    def __init__(
        self, keeper: KeeperClient, status: ClusterStatus, lock: ClusterLock, notes: tuple[str, ...] = ()
    ) -> None:
        self.keeper = keeper
        self.name = status.name
        self.profile = status.profile
        self.project = Path(status.project)
        self.simulated = status.simulated
        self.run_folder = RunFolder(Path(status.run))
        self.cookie_file = Path(status.cookie_file)
        self.call_seconds = status.timeouts.call
        self.notes = notes
        """Messages of `up`: that the cluster ran already, or was restarted for new code."""
        self.borrowed = False
        """Whether another process started it: then `down` over this handle is refused."""
        self._timeouts = status.timeouts
        self._guard = status.keeper.guard
        seen = (Identity.of(pid) for pid in (status.keeper.pid, status.keeper.guard))
        self._holders = [holder for holder in seen if holder is not None]
        self._lock = lock
        self._gone = False
        self._handles = NodeHandles(self, status)
        self.leased = status.leased

    def __repr__(self) -> str:
        mark = " simulated" if self.simulated else ""
        return f"<Cluster {self.name!r} of {len(self)}{mark} nodes, profile {self.profile!r}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- its nodes

    @property
    def roles(self) -> Mapping[str, RoleStatus]:
        """Its roles by name, each with its driver and where the code of its nodes is."""
        return self._handles.roles

    @property
    def nodes(self) -> list[Node]:
        """Its nodes, as of the last answer of the keeper."""
        return list(self._handles.nodes.values())

    def nodes_of(self, role: str) -> list[Node]:
        """Its nodes of that role."""
        return self._handles.of(role)

    def __getitem__(self, name: str) -> Node:
        check_type(
            "the key of a cluster", name, str, "the name of a node", 'cluster["node1"], cluster.nodes[0:2]'
        )
        if name not in self._handles.nodes and not self._gone:
            self.status()  # another process may have added it
        if name not in self._handles.nodes:
            raise self._handles.unknown(name)
        return self._handles.nodes[name]

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self._handles.nodes)

    # -- what it is now

    def status(self) -> ClusterStatus:
        """What the keeper knows of the cluster and its nodes at this moment."""
        return self._meet(self.keeper.ask(StatusRequest()))

    @property
    def state(self) -> ClusterState:
        return self.status().state

    @property
    def stale(self) -> tuple[str, ...]:
        """The files that differ from those that its nodes run. Builds and changes nothing. If there
        are none, the nodes run what is on disk. Nodes that cannot be asked, such as paused ones,
        are left out."""
        from clusterlib.client.code.looking import look_at_code

        return look_at_code(self, build=False).changed

    def wait_until(self, condition: Callable[[], Any], timeout: float = 10.0, what: str | None = None) -> Any:
        """Waits until the condition is true, and returns its value. An exception in it is
        raised."""
        __tracebackhide__ = True  # a test that fails here failed at its own line
        example = 'wait_until(lambda: cluster.state == "ready", timeout=10)'
        check_type("condition", condition, Callable, "a function that is called until it is true", example)  # type: ignore[arg-type]
        timeout = seconds_of(timeout, example)
        answer = poll(condition, Deadline(timeout))
        if not answer:
            what = what or getattr(condition, "__name__", "the condition").replace(
                "<lambda>", "the condition"
            )
            nodes = [
                f"{node.name}: {node.state}, sees {', '.join(node.view) or 'no other node'}"
                for node in self.status().nodes
            ]
            raise NotInTime(f"{what} did not come true within {timeout:g} s", evidence=nodes)
        return answer

    def wait_ready(self, timeout: float = 10.0) -> None:
        """Waits until every node lives and sees every other."""
        __tracebackhide__ = True
        timeout = seconds_of(timeout, "wait_ready(timeout=10)")
        self.wait_until(lambda: self.state == "ready", timeout, f"cluster '{self.name}' whole and ready")

    # -- taking turns

    def take_turn(self, who: str, *, exclusive: bool = True, timeout: float | None = None) -> TurnGiven:
        """Waits until this handle may use the cluster: alone, or together with others. Returns the
        status, and the time it has waited.

        Turns are given in the order of requests. Raises ClusterBusy after `timeout` seconds; None
        waits without limit. Meanwhile other threads cannot use this handle: `attach` gives them one
        of their own.
        """
        check_flag("exclusive", exclusive)
        timeout = None if timeout is None else seconds_of(timeout, 'take_turn("me", timeout=10)')
        seconds = None if timeout is None else timeout + ANSWER_SECONDS
        try:
            given = self.keeper.ask(TakeTurn(who, exclusive, timeout), seconds=seconds)
        except KeeperLost:
            self.keeper.close()  # a turn that was given anyway must not stay with a handle that does not know of it
            raise
        except ClusterError:
            raise
        except BaseException:
            self._take_no_turn()
            raise
        self._meet(given.status)
        return given

    def end_turn(self, *, dirty: str | None = None) -> Peak:
        """Ends the turn, and returns what the nodes have used at most. `dirty` describes damage
        that must be repaired before the next turn. When it returns, everything that the nodes had
        printed before is in their log files."""
        return self.keeper.ask(EndTurn(dirty))

    def flush_logs(self) -> None:
        """When it returns, everything that the nodes had printed before is in their log files."""
        self.keeper.ask(FlushLogs())

    def protect(self) -> None:
        """Marks the cluster as borrowed: `down` over this handle is refused."""
        self.borrowed = True

    def _take_no_turn(self) -> None:
        """The wait was interrupted: withdraws the request, and ends a turn that was given at this
        very moment.
        """
        try:
            with contextlib.suppress(ClusterError):
                self.keeper.ask(EndTurn())
        except BaseException:
            self.keeper.close()
            raise

    # -- changing it

    def restart(
        self,
        *names: str,
        rolling: bool = False,
        fresh: bool = False,
        on_event: Listener | None = None,
    ) -> None:
        """Restarts these nodes, or all of them, including those that are down. They run the current
        code, and keep their data.

        `fresh`: the data in their folders is deleted, and each starts as if for the first time.

        `rolling`: one after another, each only when the cluster is complete again, so that it keeps
        serving. A simulated node that starts while others run has the modules that they have
        loaded: for new code all of them must start at once.
        """
        check_flag("rolling", rolling)
        check_flag("fresh", fresh)
        if rolling and fresh:
            raise UsageError(
                "a restart cannot be both rolling and fresh",
                cause="a rolling one keeps the cluster serving what it has; a fresh one deletes what it has",
                remedies=[do("cluster.restart", rolling=True), do("cluster.restart", fresh=True)],
            ).of_cluster(self.name)
        for chosen in self._steps(names) if rolling else [list(names)]:
            self._change(Restart(tuple(chosen), fresh), on_event)
            if rolling:
                self.wait_until(
                    lambda: self.status().has_all_running,
                    self._timeouts.start,
                    f"cluster '{self.name}' whole again",
                )

    def _steps(self, names: Sequence[str]) -> list[list[str]]:
        """One node after another. Nodes that are down come first, all at once, because the cluster
        is not complete without them."""
        down = {node.name for node in self.status().nodes if node.pid is None}
        chosen = list(names or self._handles.nodes)
        first = [name for name in chosen if name in down]
        return [*([first] if first else []), *([name] for name in chosen if name not in down)]

    def scale(self, count: int, *, role: str | None = None, on_event: Listener | None = None) -> None:
        """Adds or removes nodes until there are `count`, while the others keep running. `role`:
        until that role has so many; it must be named if there are several."""
        check_scale(count, role, self.roles)
        self._change(Scale(count, role), on_event)

    def load_modules(
        self,
        code: Mapping[str, str],
        modules: Mapping[str, str],
        gone: Sequence[str] = (),
        *,
        role: str | None = None,
        on_event: Listener | None = None,
    ) -> Mapping[str, tuple[str, ...]]:
        """Loads compiled modules (name and file) into the nodes of a role; `code` is what they run
        then."""
        seconds = self._timeouts.start + self._down_seconds()
        answer = self.keeper.ask(Load(code, modules, tuple(gone), role), seconds=seconds, on_event=on_event)
        self._meet(answer.status)
        return answer.loaded

    def heal(self, *, fresh: bool = False, on_event: Listener | None = None) -> None:
        """Repairs the cluster: resumes paused nodes, restarts dead ones, and keeps all data.
        `fresh`: restarts all its nodes, and deletes the data in their folders."""
        check_flag("fresh", fresh)
        seconds = 2 * self._timeouts.start + self._down_seconds()
        self._meet(self.keeper.ask(Heal(fresh), seconds=seconds, on_event=on_event))

    def down(self, reason: str = "asked to") -> None:
        """Ends the cluster and returns when its processes are gone. If it is already gone, this
        succeeds."""
        if self._gone:
            return
        if self.borrowed:
            raise ClusterConflict(
                f"cluster '{self.name}' is borrowed, so it cannot be ended over this handle",
                remedies=["close()  # releases it", do("cluster.down", name=self.name)],
            )
        try:
            self.keeper.ask(Down(reason), seconds=self._down_seconds())
        except KeeperLost:
            if not self._is_gone():
                raise
        self._await_end()

    def close(self) -> None:
        """Releases the lease. If it is the last one, the cluster ends, unless it is kept; that end
        is waited for."""
        if self._gone:
            return
        try:
            ended = self.keeper.ask(Release(), seconds=self._down_seconds()).ended
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
        """From now on the cluster runs until `down` is called, even without leases."""
        self._meet(self.keeper.ask(Keep()))

    def _let_go(self) -> None:
        self._gone = True
        self._handles.close()
        self.keeper.close()

    def _change(self, request: Request[ClusterStatus], on_event: Listener | None) -> None:
        self._meet(self.keeper.ask(request, seconds=self.change_seconds, on_event=on_event))

    @property
    def change_seconds(self) -> float:
        """How long nodes may take to be stopped and started."""
        return self._timeouts.start + self._down_seconds()

    def _meet(self, status: ClusterStatus) -> ClusterStatus:
        """Updates the list of nodes."""
        self.leased = status.leased
        self._handles.meet(status)
        return status

    def _down_seconds(self) -> float:
        return self._timeouts.stop + KILLING_SECONDS

    def _is_gone(self) -> bool:
        return self._lock.wait_free(Deadline(SETTLING), self._holders)

    def _await_end(self) -> None:
        """Waits for the lock, which the keeper and its guard hold: once it is free, both are gone,
        and all nodes with them.
        """
        self._let_go()
        if not self._is_gone():
            raise LeftBehind(
                f"the keeper of cluster '{self.name}' confirmed the end but still runs",
                remedies=[
                    f"ps -o pid,ppid,stat,etime,cmd -u {os.getuid()} | grep clusterlib.keeper",
                    do("cluster.clean"),
                ],
            )
        reap(self._guard)
