"""The processes of one node: starting, ending, supervising. Everything happens on its loop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import traceback
from collections import OrderedDict
from collections.abc import Coroutine, Iterator
from contextvars import Context
from typing import Any, Protocol

from clusterlib.errors import ProcessGone, UsageError
from clusterlib.remedies import do
from clusterlib.runtime.log import Log
from clusterlib.runtime.network import NodeNetwork
from clusterlib.runtime.processes.mailbox import Mailbox
from clusterlib.runtime.processes.members import (
    LiveProcess,
    ProcessEnd,
    Slot,
    Supervisor,
    current_process,
)
from clusterlib.runtime.processes.specification import Child, ProcessFunction
from clusterlib.runtime.processes.steps import Steps
from clusterlib.runtime.processes.supervision import affected, is_due
from clusterlib.runtime.processes.values import ProcessId, Strategy

__all__ = ["ProcessTable", "TableListener"]

AGAIN_SECONDS = 0.5
"""A process that has not ended is cancelled again after so long, its time to clean up."""
MOST_CANCELLATIONS = 4
MOST_REMEMBERED = 1_000
DONE = "done"
SHUT_DOWN = "its supervisor ended it"


class TableListener(Protocol):
    """Learns of each start and end."""

    def began(self, member: LiveProcess | Supervisor) -> None: ...

    def over(self, process: LiveProcess, ended: ProcessEnd) -> None: ...

    def dissolved(self, supervisor: Supervisor) -> None: ...


class ProcessTable:
    """All processes of one node, and the tree of their supervisors."""

    def __init__(
        self, node: str, life: int, network: NodeNetwork, context: Context, log: Log, listener: TableListener
    ) -> None:
        self.root = Supervisor(ProcessId(node, 0, life), Child(), None, network.loop.create_future())
        self.living: dict[int, LiveProcess] = {}
        self.supervisors: dict[int, Supervisor] = {0: self.root}
        self.ended: OrderedDict[int, ProcessEnd] = OrderedDict()
        """The last ones, for people who look."""
        self.node = node
        self._life = life
        self._network = network
        self._context = context
        self._log = log
        self._listener = listener
        self._numbers = itertools.count(1)
        self._places: dict[int, tuple[Supervisor, Slot]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    def __iter__(self) -> Iterator[LiveProcess]:
        return iter(self.living.values())

    def find(self, process: ProcessId) -> LiveProcess | None:
        """The process, if it lives on this node."""
        return self.living.get(process.number) if self._is_here(process) else None

    def end_of(self, process: ProcessId) -> ProcessEnd:
        """How a process of this node has ended; if that is forgotten, that there is none."""
        ended = self.ended.get(process.number) if self._is_here(process) else None
        return ended or ProcessEnd(process, "there is no such process", failed=True)

    def process(self, process: ProcessId) -> LiveProcess:
        """Raises ProcessGone, or UsageError for a supervisor."""
        found = self.member(process)
        if isinstance(found, Supervisor):
            raise UsageError(
                f"{process} is a supervisor, and no process",
                remedies=[do("cluster.processes.tree"), do("cluster.processes.terminate", str(process))],
            )
        if found is None:
            raise self.gone(process)
        return found

    def gone(self, process: ProcessId) -> ProcessGone:
        ended = self.ended.get(process.number) if self._is_here(process) else None
        return ProcessGone(
            f"there is no process {process}", cause=f"it ended: {ended.reason}" if ended else None
        )

    def _is_here(self, process: ProcessId) -> bool:
        return process.node == self.node and process.life in (0, self._life)

    def member(self, process: ProcessId) -> LiveProcess | Supervisor | None:
        """The living process or supervisor; the root counts as neither."""
        if not self._is_here(process) or process.number == 0:
            return None
        return self.living.get(process.number) or self.supervisors.get(process.number)

    def place_of(self, number: int) -> tuple[Supervisor, Slot]:
        return self._places[number]

    def start(self, child: Child, under: Supervisor | None = None) -> LiveProcess | Supervisor:
        """Adds a child to a supervisor, the root without one, and starts it."""
        supervisor = under or self.root
        if supervisor.ending:
            raise ProcessGone(f"the supervisor {supervisor.name or supervisor.id} ends, and starts nothing")
        slot = Slot(child)
        supervisor.slots.append(slot)
        return self._start(supervisor, slot)

    def end(self, process: LiveProcess, reason: str, *, final: bool = False) -> None:
        """Ends a process; its supervisor may start it again, unless the end is final."""
        process.reason = process.reason or reason
        process.final = process.final or final
        if process.cancellations == 0:
            self._cancel(process)

    def suspend(self, process: LiveProcess) -> None:
        if process.suspended is None:
            process.suspended = self._network.loop.create_future()

    def resume(self, process: LiveProcess) -> None:
        suspended, process.suspended = process.suspended, None
        if suspended is not None and not suspended.done():
            suspended.set_result(None)

    async def terminate(self, number: int) -> None:
        """Ends a process or a supervisor for good."""
        await self._stop(*self._place(number))

    async def restart(self, number: int) -> LiveProcess | Supervisor:
        """Ends a process or a supervisor, and starts it again.

        Two restarts at the same time are one. A child that is terminated meanwhile stays away."""
        supervisor, slot = self._place(number)
        others = supervisor.child.strategy is not Strategy.ONE_FOR_ONE
        async with supervisor.busy if others else contextlib.nullcontext():
            if slot.member is not None and slot.member.id.number == number:
                await self._end_member(slot)
            if slot.member is not None:
                return slot.member
            if supervisor.ending or not slot.wanted:
                raise self.gone(ProcessId(self.node, number, self._life))
            slot.restarts += 1
            return self._start(supervisor, slot)

    def _place(self, number: int) -> tuple[Supervisor, Slot]:
        """Raises ProcessGone if it has ended since it was looked up."""
        try:
            return self._places[number]
        except KeyError:
            raise self.gone(ProcessId(self.node, number, self._life)) from None

    async def shut_down(self) -> None:
        """Ends the whole tree in order."""
        self._dissolve(self.root)
        await asyncio.shield(self.root.gone)

    def stop(self) -> None:
        """Ends everything at once, as with a process of the machine that is killed."""
        self._stopped = True
        for task in [*self._tasks, *(process.task for process in self if process.task is not None)]:
            task.cancel()

    # -- starting ---------------------------------------------------------------------------------

    def _start(self, supervisor: Supervisor, slot: Slot) -> LiveProcess | Supervisor:
        number = next(self._numbers)
        process_id = ProcessId(self.node, number, self._life)
        self._places[number] = (supervisor, slot)
        slot.stopping = False
        if slot.child.function is None:
            return self._start_supervisor(process_id, supervisor, slot)
        loop = self._network.loop
        process = LiveProcess(process_id, slot.child, Mailbox(loop, slot.child.room), loop.create_future())
        slot.member = self.living[number] = process
        context = self._context.copy()
        context.run(current_process.set, process)
        process.task = loop.create_task(
            self._live(process, slot.child.function), context=context, name=f"process {process_id}"
        )
        process.task.add_done_callback(lambda task: self._over(process, task), context=self._context)
        self._listener.began(process)
        return process

    def _start_supervisor(self, process_id: ProcessId, parent: Supervisor, slot: Slot) -> Supervisor:
        supervisor = Supervisor(process_id, slot.child, parent, self._network.loop.create_future())
        slot.member = self.supervisors[process_id.number] = supervisor
        self._listener.began(supervisor)
        for child in slot.child.children:
            self.start(child, supervisor)
        return supervisor

    async def _live(self, process: LiveProcess, function: ProcessFunction) -> None:
        def gate() -> asyncio.Future[None] | None:
            return process.suspended or self._network.held()

        process.coroutine = function(process.box, *process.child.args)
        try:
            await Steps(process.coroutine, gate)
        except (SystemExit, KeyboardInterrupt) as error:  # they would end the node, and simulated ones all
            raise RuntimeError(f"it raised {error!r}") from error

    # -- ending -----------------------------------------------------------------------------------

    def _cancel(self, process: LiveProcess) -> None:
        task = process.task
        if task is None or task.done():
            return
        process.cancellations += 1
        if process.cancellations > MOST_CANCELLATIONS:
            self._abandon(process)
            return
        task.cancel()
        self._network.later(AGAIN_SECONDS, self._cancel, process)

    def _abandon(self, process: LiveProcess) -> None:
        """It suppresses its cancellation. Nothing can end it but the end of the node."""
        self._log.say(f"the process {process.id} ({process.child.target}) ignores that it was ended")
        self._forget(process, f"{process.reason}, which it ignores", failed=True)

    def _over(self, process: LiveProcess, task: asyncio.Task[None]) -> None:
        if self._stopped or process.id.number not in self.living:
            return
        error = None if task.cancelled() else task.exception()
        if error is not None and process.reason is None:
            self._log.say(f"the process {process.id} failed\n" + "".join(traceback.format_exception(error)))
            self._forget(process, f"{type(error).__name__}: {error}", failed=True)
        elif process.reason is not None or task.cancelled():
            self._forget(process, process.reason or "cancelled", failed=True)
        else:
            self._forget(process, DONE, failed=False)

    def _forget(self, process: LiveProcess, reason: str, *, failed: bool) -> None:
        number = process.id.number
        del self.living[number]
        supervisor, slot = self._places.pop(number)
        ended = ProcessEnd(process.id, reason, failed, process.name)
        self.ended[number] = ended
        if len(self.ended) > MOST_REMEMBERED:
            self.ended.popitem(last=False)
        slot.member, slot.last = None, reason
        if not process.gone.done():
            process.gone.set_result(None)
        self._listener.over(process, ended)
        self._replace(supervisor, slot, due=not process.final and is_due(slot.child.restart, failed=failed))

    # -- supervising ------------------------------------------------------------------------------

    def _replace(self, supervisor: Supervisor, slot: Slot, *, due: bool) -> None:
        """A child has ended. If it was ended from here, what ended it goes on."""
        if slot.stopping or supervisor.ending:
            return
        if due:
            self._restart(supervisor, slot)
        else:
            self._remove(supervisor, slot)

    def _restart(self, supervisor: Supervisor, slot: Slot) -> None:
        is_root = supervisor.parent is None
        intensity = slot.intensity if is_root else supervisor.intensity
        if not intensity.permits(self._network.now()):
            what = f"{slot.child.name or slot.child.target} ended too often, last because of: {slot.last}"
            self._log.say(f"{supervisor.id} gives up: {what}")
            if is_root:
                self._remove(supervisor, slot)
            else:
                place = self._places[supervisor.id.number]
                self._dissolve(supervisor)
                self._task(self._give_up(supervisor, *place, what))
        elif supervisor.child.strategy is Strategy.ONE_FOR_ONE:
            slot.restarts += 1
            self._start(supervisor, slot)
        else:
            self._task(self._restart_others(supervisor, slot))

    async def _restart_others(self, supervisor: Supervisor, slot: Slot) -> None:
        async with supervisor.busy:
            if slot.member is not None or not slot.wanted:
                return  # it was started again together with another one, or is no longer wanted
            slots = affected(supervisor.child.strategy, supervisor.slots, slot)
            for one in reversed(slots):
                await self._end_member(one)
            if supervisor.ending:
                return
            for one in slots:
                if one.wanted:
                    one.restarts += 1
                    self._start(supervisor, one)

    async def _give_up(self, supervisor: Supervisor, parent: Supervisor, slot: Slot, reason: str) -> None:
        await asyncio.shield(supervisor.gone)
        slot.last = reason
        if slot.member is None:
            self._replace(parent, slot, due=is_due(slot.child.restart, failed=True))

    async def _stop(self, supervisor: Supervisor, slot: Slot) -> None:
        slot.wanted = False
        await self._end_member(slot)
        self._remove(supervisor, slot)

    def _remove(self, supervisor: Supervisor, slot: Slot) -> None:
        slot.wanted = False
        if slot in supervisor.slots:
            supervisor.slots.remove(slot)

    async def _end_member(self, slot: Slot) -> None:
        slot.stopping = True
        member = slot.member
        if member is None:
            return
        if isinstance(member, Supervisor):
            self._dissolve(member)
        else:
            self.end(member, SHUT_DOWN)
        await asyncio.shield(member.gone)

    def _dissolve(self, supervisor: Supervisor) -> None:
        """Begins to end a supervisor, once, however many ask for it."""
        if not supervisor.ending:
            supervisor.ending = True
            self._task(self._end_supervisor(supervisor))

    async def _end_supervisor(self, supervisor: Supervisor) -> None:
        while supervisor.slots:
            await self._stop(supervisor, supervisor.slots[-1])
        if supervisor.parent is not None:
            del self.supervisors[supervisor.id.number]
            _, slot = self._places.pop(supervisor.id.number)
            slot.member = None
            self._listener.dissolved(supervisor)
        supervisor.gone.set_result(None)

    def _task(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._network.loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
