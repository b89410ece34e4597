"""What can be seen of the processes of one node, and done with them, by the client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from clusterlib.drivers.place import Place
from clusterlib.errors import NotSupported
from clusterlib.frozen import frozen
from clusterlib.messages.processes import MemberView, NameView, ProcessDetail, ProcessesOfNode, ProcessOrder

__all__ = ["ProcessCalls", "Spawning"]


@frozen
class Spawning:
    """A process to be started: its function, and where."""

    function: str
    """`package.module:function` of an embedded node, `module:function` of an Erlang one."""
    args: tuple[Any, ...] = ()
    name: str | None = None
    prefer: str | None = None
    """The node on which it runs if that node lives."""
    node: str | None = None
    """The node on which it must run."""
    under: str | None = None
    """The supervisor that it is a child of, by id or name; None: the node decides."""
    restart: str = "never"


class ProcessCalls:
    """Requests about the processes of one node. Here they are refused; kinds of nodes that have
    processes override them.

    A process is named by its id or its registered name. `where` finds its node; all others are
    asked of that node. They raise NodeUnavailable, CallTimeout and ProcessGone."""

    names_are_local: ClassVar[bool] = False
    """Whether processes of several nodes may have the same name."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def where(self, target: str, timeout: float) -> tuple[str, str]:
        """The id of a process, and the name of its node."""
        raise self.refusal()

    def busiest(
        self, order: ProcessOrder, limit: int, matching: str | None, timeout: float
    ) -> ProcessesOfNode:
        """The first `limit` processes in that order, chosen on the node. `matching` is a part of a
        name or of a function."""
        raise self.refusal()

    def detail(self, target: str, timeout: float) -> ProcessDetail:
        raise self.refusal()

    def trees(self, timeout: float) -> Sequence[MemberView]:
        """The supervision trees that begin on this node."""
        raise self.refusal()

    def names(self, timeout: float) -> Mapping[str, str]:
        """The names of the cluster that this node knows, and the ids of their processes."""
        raise self.refusal()

    def registered(self, timeout: float) -> Sequence[NameView]:
        """The same, with where each is registered, and the names that only this node knows."""
        return [NameView(name, process) for name, process in self.names(timeout).items()]

    def spawn(self, wanted: Spawning, timeout: float) -> str:
        """Starts a process, and returns its id."""
        raise self.refusal()

    def kill(self, target: str, reason: str, timeout: float) -> None:
        """Ends a process, and waits until it has ended. Its supervisor may start it again."""
        raise self.refusal()

    def terminate(self, target: str, timeout: float) -> None:
        """Ends a child of a supervisor for good."""
        raise self.refusal()

    def restart(self, target: str, timeout: float) -> str:
        """Ends a child of a supervisor and starts it again. Returns its new id."""
        raise self.refusal()

    def send(self, target: str, message: Any, timeout: float) -> None:
        raise self.refusal()

    def suspend(self, target: str, timeout: float) -> None:
        raise self.refusal()

    def resume(self, target: str, timeout: float) -> None:
        raise self.refusal()

    def collect_garbage(self, target: str, timeout: float) -> None:
        raise self.refusal()

    def refusal(self) -> NotSupported:
        return NotSupported(
            f"{self.place.name} has no processes to look into: it is a server program "
            f"(driver {self.place.driver!r})"
        )
