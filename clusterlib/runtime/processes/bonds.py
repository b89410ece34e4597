"""Links and monitors: which processes learn of the end of which others, on this node or another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clusterlib.runtime.network import NodeNetwork
from clusterlib.runtime.processes.courier import Courier
from clusterlib.runtime.processes.members import LiveProcess, ProcessEnd
from clusterlib.runtime.processes.table import ProcessTable
from clusterlib.runtime.processes.values import LinkDown, ProcessDown, ProcessId

__all__ = ["UNREACHABLE", "Bonds"]

UNREACHABLE = "its node is gone"


class Bonds:
    """The links and monitors of the processes of one node."""

    def __init__(
        self, network: NodeNetwork, courier: Courier, table: ProcessTable, lives: Callable[[ProcessId], bool]
    ) -> None:
        self._network = network
        self._courier = courier
        self._table = table
        self._lives = lives
        self._remote: dict[ProcessId, set[ProcessId]] = {}
        """Processes of other nodes, and which of this node monitor them or are linked to them."""
        courier.verbs |= {
            "monitor": self._monitored,
            "unmonitor": self._unmonitored,
            "link": self._linked,
            "unlink": self._unlinked,
            "down": self._down,
        }

    def monitor(self, one: LiveProcess, target: ProcessId) -> None:
        """`one` gets a ProcessDown message when the target ends, at once if it has ended."""
        one.watches.add(target)
        self._bind(one.id, target, "monitor")

    def unmonitor(self, one: LiveProcess, target: ProcessId) -> None:
        one.watches.discard(target)
        self._loosen(one, target)
        self._tell(target, "unmonitor", one.id)

    def link(self, one: LiveProcess, target: ProcessId) -> None:
        """If one of the two fails, the other ends, too."""
        one.links.add(target)
        self._bind(one.id, target, "link")

    def unlink(self, one: LiveProcess, target: ProcessId) -> None:
        one.links.discard(target)
        self._loosen(one, target)
        self._tell(target, "unlink", one.id)

    def over(self, process: LiveProcess, ended: ProcessEnd) -> None:
        """A process of this node has ended."""
        for watched in process.watches:
            self._tell(watched, "unmonitor", process.id)
        for other in process.watches | process.links:
            self._forget(process.id, other)
        for watcher in process.monitors | process.links:
            self._inform(watcher, ended)

    def lost(self, is_lost: Callable[[ProcessId], bool]) -> None:
        """Processes of other nodes are gone with their node."""
        for process in list(filter(is_lost, self._remote)):
            for watcher in self._remote.pop(process):
                self._down(watcher, _unreachable(process))

    def _bind(self, one: ProcessId, target: ProcessId, verb: str) -> None:
        if target.node != self._table.node:
            if not self._lives(target):
                self._network.soon(self._down, one, _unreachable(target))
                return
            self._remote.setdefault(target, set()).add(one)
        self._tell(target, verb, one)

    def _loosen(self, one: LiveProcess, target: ProcessId) -> None:
        if target not in one.watches and target not in one.links:
            self._forget(one.id, target)

    def _forget(self, one: ProcessId, target: ProcessId) -> None:
        watchers = self._remote.get(target)
        if watchers is not None:
            watchers.discard(one)
            if not watchers:
                del self._remote[target]

    def _tell(self, process: ProcessId, verb: str, *arguments: Any) -> None:
        if process.node == self._table.node:
            self._courier.verbs[verb](process, *arguments)
        elif self._lives(process):
            self._courier.tell(process.node, verb, process, *arguments)

    def _inform(self, watcher: ProcessId, ended: ProcessEnd) -> None:
        if watcher.node == self._table.node:
            self._network.soon(self._down, watcher, ended)
        else:
            self._tell(watcher, "down", ended)

    # -- what other nodes say ---------------------------------------------------------------------

    def _monitored(self, process: ProcessId, watcher: ProcessId) -> None:
        found = self._table.find(process)
        if found is None:
            self._inform(watcher, self._table.end_of(process))
        else:
            found.monitors.add(watcher)

    def _unmonitored(self, process: ProcessId, watcher: ProcessId) -> None:
        found = self._table.find(process)
        if found is not None:
            found.monitors.discard(watcher)

    def _linked(self, process: ProcessId, other: ProcessId) -> None:
        found = self._table.find(process)
        if found is None:
            self._inform(other, self._table.end_of(process))
            return
        found.links.add(other)
        if other.node != self._table.node:
            self._remote.setdefault(other, set()).add(found.id)

    def _unlinked(self, process: ProcessId, other: ProcessId) -> None:
        found = self._table.find(process)
        if found is not None:
            found.links.discard(other)
            self._loosen(found, other)

    def _down(self, watcher: ProcessId, ended: ProcessEnd) -> None:
        """A process has ended that one of this node monitors or is linked to."""
        self._forget(watcher, ended.id)
        found = self._table.find(watcher)
        if found is None:
            return
        if ended.id in found.watches:
            found.watches.discard(ended.id)
            found.box.put_notice(ProcessDown(ended.id, ended.reason, ended.name))
        if ended.id in found.links:
            found.links.discard(ended.id)
            if found.traps:
                found.box.put_notice(LinkDown(ended.id, ended.reason, ended.name))
            elif ended.failed:
                self._table.end(found, f"the linked process {ended.id} failed: {ended.reason}")


def _unreachable(process: ProcessId) -> ProcessEnd:
    return ProcessEnd(process, UNREACHABLE, failed=True)
