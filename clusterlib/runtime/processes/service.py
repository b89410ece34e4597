"""The processes of one node, together with those of all others. Everything happens on its loop.

Made when the node first needs it: by its own code, by a question of a client, or by a message of
another node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

from clusterlib.errors import (
    ClusterError,
    NodeUnavailable,
    ProcessGone,
    ProcessNameTaken,
    RemoteError,
    UsageError,
)
from clusterlib.frozen import replace
from clusterlib.runtime.links import Links
from clusterlib.runtime.log import Log
from clusterlib.runtime.membership import Liveness, Membership
from clusterlib.runtime.network import NodeNetwork
from clusterlib.runtime.processes.bonds import UNREACHABLE, Bonds
from clusterlib.runtime.processes.courier import Courier
from clusterlib.runtime.processes.lag import LoopLag
from clusterlib.runtime.processes.mailbox import AskedMessage
from clusterlib.runtime.processes.members import LiveProcess, ProcessEnd, Supervisor
from clusterlib.runtime.processes.placement import heir, place
from clusterlib.runtime.processes.registry import NameRegistry
from clusterlib.runtime.processes.specification import Child
from clusterlib.runtime.processes.spreading import Spreading
from clusterlib.runtime.processes.table import ProcessTable
from clusterlib.runtime.processes.values import Leaving, ProcessId
from clusterlib.runtime.processes.wills import read_will, written_will
from clusterlib.runtime.wire import Buffer

__all__ = ["ProcessService"]

T = TypeVar("T")
LEAVES = "its node leaves the cluster"
HAND_OVER_SECONDS = 1.0


class ProcessService:
    """What the code of a node, its clients and other nodes ask for."""

    def __init__(
        self,
        node: str,
        life: int,
        network: NodeNetwork,
        context: Context,
        links: Links,
        membership: Membership,
        log: Log,
    ) -> None:
        self.node = node
        self.table = ProcessTable(node, life, network, context, log, self)
        self.registry = NameRegistry(node, life, self.lives)
        self.lag = LoopLag(network)
        self._network = network
        self._membership = membership
        self._log = log
        self._courier = Courier(network.loop, links, log, membership.lives)
        self._courier.verbs["send"] = self._deliver
        self._courier.questions |= {
            "ask": self.ask,
            "end": self.end,
            "spawn": self._start_for,
            "terminate": self.terminate,
            "restart": self.restart,
        }
        self.bonds = Bonds(network, self._courier, self.table, self.lives)
        self._spreading = Spreading(
            node,
            life,
            network,
            links,
            self._courier,
            self.registry,
            lambda: len(self.table.living),
            self._settle,
        )
        self._posted: list[tuple[ProcessId, Any, asyncio.Future[Any] | None]] = []
        """Messages for processes of this node that are not delivered yet."""
        self._leaving = False
        self._members = frozenset(membership.alive())
        links.linked = self._spreading.linked
        for peer in links.links:
            self._spreading.linked(peer)

    def received(self, peer: str, payload: Buffer) -> None:
        self._courier.received(peer, payload)

    def stop(self) -> None:
        """Ends everything at once."""
        self.lag.stop()
        self.table.stop()

    # -- where processes are ----------------------------------------------------------------------

    def lives(self, process: ProcessId) -> bool:
        """Whether the process can still live: its node does, in the same life."""
        if self._spreading.is_outdated(process):
            return False
        return process.node == self.node or self._membership.lives(process.node)

    def resolve(self, target: ProcessId | str) -> ProcessId:
        """The process that an id, its text, or a registered name means."""
        if isinstance(target, ProcessId):
            return target
        found = self.registry.find(target)
        if found is not None:
            return found
        read = ProcessId.read(target)
        if read is None or read.node not in self._membership.ring:
            raise ProcessGone(
                f"no process has the name {target!r}",
                evidence=[f"{name}: {process}" for name, process in sorted(self.registry.names())[:10]],
            )
        return ProcessId(read.node, read.number, self._spreading.life_of(read.node))

    # -- starting and ending ----------------------------------------------------------------------

    def spawn(
        self, child: Child, prefer: str | None = None, node: str | None = None
    ) -> asyncio.Future[ProcessId]:
        """Starts a process on `node`, else on the preferred node, else where there are fewest."""
        where = node or place(self._membership.alive(), self._spreading.loads, self.node, prefer)
        if where == self.node:
            return self._at_once(lambda: self.start(child))
        if not self._membership.lives(where):
            return self._failed(NodeUnavailable(f"{where} does not live, so it can start no process"))
        return self._courier.ask(where, "spawn", child, None)

    def start(self, child: Child, under: ProcessId | None = None) -> ProcessId:
        """Starts a process on this node."""
        if self._leaving:
            raise NodeUnavailable(f"{self.node} leaves the cluster, so it starts no process")
        if child.moves and under is not None:
            raise UsageError("a child of a supervisor does not move: its supervisor stays on its node")
        if child.name is not None and (owner := self.registry.find(child.name)) is not None:
            raise ProcessNameTaken(f"the name {child.name!r} belongs to the process {owner}")
        if child.moves:
            written_will(child)  # before it starts: what it is made of may be impossible to send
        supervisor = None
        if under is not None and (supervisor := self.table.supervisors.get(under.number)) is None:
            raise self.table.gone(under)
        return self.table.start(child, supervisor).id

    def start_under(self, child: Child, supervisor: ProcessId | str) -> asyncio.Future[ProcessId]:
        """Starts one more child of a supervisor, on the node of that."""
        under = self.resolve(supervisor)
        if under.node != self.node:
            return self._elsewhere(under, "spawn", child, under)
        return self._at_once(lambda: self.start(child, under))

    def _start_for(self, child: Child, under: ProcessId | None) -> asyncio.Future[ProcessId]:
        started = self._at_once(lambda: self.start(child, under))
        self._spreading.spread()  # first, so that the asker finds the name as soon as it has the id
        return started

    def terminate(self, target: ProcessId | str) -> asyncio.Future[None]:
        """Ends a process or a supervisor for good. Done when it has ended."""
        return self._on_member(target, "terminate", self.table.terminate)

    def restart(self, target: ProcessId | str) -> asyncio.Future[ProcessId]:
        """Ends a process or a supervisor and starts it again. Gives its new id."""

        async def restart(number: int) -> ProcessId:
            return (await self.table.restart(number)).id

        return self._on_member(target, "restart", restart)

    def _on_member(
        self, target: ProcessId | str, verb: str, act: Callable[[int], Coroutine[Any, Any, T]]
    ) -> asyncio.Future[T]:
        process = self.resolve(target)
        if process.node != self.node:
            return self._elsewhere(process, verb, process)
        if self.table.member(process) is None:
            return self._failed(self.table.gone(process))
        return asyncio.shield(self._network.loop.create_task(act(process.number)))

    def end(self, target: ProcessId | str, reason: str) -> asyncio.Future[None]:
        """Ends a process, wherever it is. Done when it has ended."""
        process = self.resolve(target)
        if process.node != self.node:
            return self._elsewhere(process, "end", process, reason)
        try:
            found = self.table.process(process)
        except ClusterError as error:
            return self._failed(error)
        self.table.end(found, reason)
        return asyncio.shield(found.gone)

    def _elsewhere(self, process: ProcessId, verb: str, *arguments: Any) -> asyncio.Future[Any]:
        """Asks the node of the process, unless it is known that no answer would come."""
        if self.lives(process):
            return self._courier.ask(process.node, verb, *arguments)
        return self._failed(NodeUnavailable(f"{process} cannot be asked: {UNREACHABLE}"))

    def _at_once(self, act: Callable[[], T]) -> asyncio.Future[T]:
        answer: asyncio.Future[T] = self._network.loop.create_future()
        try:
            answer.set_result(act())
        except ClusterError as error:
            answer.set_exception(error)
        return answer

    def _failed(self, error: ClusterError) -> asyncio.Future[Any]:
        answer: asyncio.Future[Any] = self._network.loop.create_future()
        answer.set_exception(error)
        return answer

    # -- messages ---------------------------------------------------------------------------------

    def send(self, target: ProcessId | str, message: Any) -> None:
        """Sends a message. Its sender does not learn whether it arrives; `ask` does."""
        process = self.resolve(target)
        if process.node == self.node:
            self._post(process, message, None)
        elif self.lives(process):
            self._courier.tell(process.node, "send", process, message)

    def ask(self, target: ProcessId | str, message: Any) -> asyncio.Future[Any]:
        """Sends a message; the future gets the answer of the process."""
        process = self.resolve(target)
        if process.node != self.node:
            return self._elsewhere(process, "ask", process, message)
        answer: asyncio.Future[Any] = self._network.loop.create_future()
        self._post(process, message, answer)
        return answer

    def _post(self, process: ProcessId, message: Any, answer: asyncio.Future[Any] | None) -> None:
        """Delivers it in the next turn of the loop, with all others that are sent until then."""
        if not self._posted:
            self._network.soon(self._deliver_posted)
        self._posted.append((process, message, answer))

    def _deliver_posted(self) -> None:
        posted, self._posted = self._posted, []
        for process, message, answer in posted:
            if answer is None:
                self._deliver(process, message)
            else:
                self._ask_here(process, message, answer)

    def _deliver(self, process: ProcessId, message: Any) -> None:
        found = self.table.find(process)
        if found is not None and not found.box.put(message):
            self._log.limited(f"mailbox of {process}", f"{_full(found)}; messages to it are lost")

    def _ask_here(self, process: ProcessId, message: Any, answer: asyncio.Future[Any]) -> None:
        def reply(value: Any, error: ClusterError | None = None) -> None:
            if answer.done():
                return
            if error is None:
                answer.set_result(value)
            else:
                answer.set_exception(error)

        found = self.table.find(process)
        if found is None:
            reply(None, self.table.gone(process))
        elif not found.box.put(AskedMessage(message, reply)):
            reply(None, NodeUnavailable(_full(found)))

    # -- the table's news -------------------------------------------------------------------------

    def began(self, member: LiveProcess | Supervisor) -> None:
        if member.name is not None:
            self.registry.claim(
                member.name, member.id, written_will(member.child) if member.child.moves else ""
            )
            self._spreading.names_changed()
            if self.registry.find(member.name) != member.id:  # a child of a supervisor was not asked
                self._network.soon(self._settle, {member.name})
        self._spreading.load_changed()

    def dissolved(self, supervisor: Supervisor) -> None:
        self._released(supervisor)

    def over(self, process: LiveProcess, ended: ProcessEnd) -> None:
        for request in process.box.close():
            request.refuse(self.table.gone(process.id))
        self._released(process)
        self.bonds.over(process, ended)

    def _released(self, member: LiveProcess | Supervisor) -> None:
        if member.name is not None:
            self.registry.release(member.name, member.id)
            self._spreading.names_changed()
        self._spreading.load_changed()

    # -- news of members and names ----------------------------------------------------------------

    def members_changed(self) -> None:
        alive = frozenset(self._membership.alive())
        for node in self._members - alive:
            self._courier.lost(node, UNREACHABLE)
        self._members = alive
        self._settle(None)

    def _settle(self, names: set[str] | None) -> None:
        """Claims of these names have changed, or members have: then it is about all names."""
        if names is None:
            self.bonds.lost(lambda process: not self.lives(process))
        for lost in self.registry.losers(names):
            self._log.say(f"{lost.process} ends: {lost.reason}")
            found = self.table.find(lost.process)
            if found is not None:
                self.table.end(found, lost.reason, final=True)
            else:
                self.terminate(lost.process)
        if not self._leaving:
            self._take_in_orphans(names)
        if names is None:
            self.registry.forget(self._spreading.is_outdated)

    def _take_in_orphans(self, names: set[str] | None) -> None:
        living = self._membership.alive()
        for claim in self.registry.orphans(self._is_lost, names):
            if heir(living, claim.name) == self.node:
                try:
                    started = self.start(read_will(claim.will))
                except ClusterError as error:
                    self._log.say(f"{claim.name} of {claim.process} is not continued here: {error}")
                else:
                    self._log.say(f"{claim.name} of {claim.process} continues here as {started}")

    def _is_lost(self, process: ProcessId) -> bool:
        """Whether the process is known to be gone with its node, not only unknown."""
        if self._spreading.is_outdated(process):
            return True
        return self._membership.status(process.node) in (Liveness.DEAD, Liveness.LEFT)

    async def leave(self) -> None:
        """Hands processes that move over to other nodes, and ends all others in order."""
        self._leaving = True
        moving = [process for process in self.table if process.child.moves]
        for process in moving:
            process.final = True
            process.box.put_notice(Leaving())
        if moving:
            await asyncio.wait([process.gone for process in moving], timeout=HAND_OVER_SECONDS)
        for process in moving:
            if not process.gone.done():
                self._log.say(f"{process.name} did not return within {HAND_OVER_SECONDS} s, and is ended")
                self.table.end(process, LEAVES, final=True)
        started = [self._network.loop.create_task(self._continue(process)) for process in moving]
        if started:
            await asyncio.wait(started, timeout=HAND_OVER_SECONDS)
        for process, task in zip(moving, started, strict=True):
            if task.cancel():
                self._log.say(f"{process.name} is lost: no other node has started it in time")
        await asyncio.wait_for(self.table.shut_down(), HAND_OVER_SECONDS)

    async def _continue(self, process: LiveProcess) -> None:
        """Starts it on the node with the fewest processes that does not leave, too."""
        child, loads = self._successor(process), self._spreading.loads
        others = [name for name in self._membership.alive() if name != self.node]
        refusal: ClusterError = NodeUnavailable("there is no other node")
        for where in sorted(others, key=lambda name: (loads.get(name, 0), name)):
            try:
                if process.name is not None:  # the other node may not know yet that the name is free
                    self._spreading.inform(where, process.name)
                await self.spawn(child, node=where)
            except ClusterError as error:
                refusal = error
            else:
                return
        self._log.say(f"{process.name} is lost: {refusal}")

    def _successor(self, process: LiveProcess) -> Child:
        if process.box.successor is None:
            return process.child
        child = replace(process.child, args=process.box.successor)
        try:
            written_will(child)
        except RemoteError as error:
            self._log.say(
                f"{process.name} continues with the arguments of its start, and without what it handed"
                f" over: {error} ({error.cause})"
            )
            return process.child
        return child


def _full(process: LiveProcess) -> str:
    return f"the mailbox of {process.name or process.id} is full ({process.box.room} messages)"
