"""The processes of an embedded node, as its client sees them."""

from __future__ import annotations

import ast
import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clusterlib.drivers.place import Place
from clusterlib.drivers.processes import ProcessCalls, Spawning
from clusterlib.errors import CallTimeout, NotSupported, UsageError
from clusterlib.messages.codec import revive
from clusterlib.messages.processes import MemberView, ProcessDetail, ProcessesOfNode, ProcessOrder
from clusterlib.runtime.client import NodeClient

__all__ = ["PythonProcesses"]

HELD_UP = "its event loop, which answers this, is held up: something on it does not await"
Talk = Callable[[Callable[[NodeClient], Any]], Any]


class PythonProcesses(ProcessCalls):
    def __init__(self, place: Place, talk: Talk) -> None:
        super().__init__(place)
        self._talk = talk

    def where(self, target: str, timeout: float) -> tuple[str, str]:
        process, node = self._look("where", timeout, target=target)
        return str(process), str(node)

    def busiest(
        self, order: ProcessOrder, limit: int, matching: str | None, timeout: float
    ) -> ProcessesOfNode:
        found = self._look("list", timeout, order=order.value, limit=limit, matching=matching)
        return revive(ProcessesOfNode, found)

    def detail(self, target: str, timeout: float) -> ProcessDetail:
        return revive(ProcessDetail, self._look("detail", timeout, target=target))

    def trees(self, timeout: float) -> Sequence[MemberView]:
        return [revive(MemberView, self._look("tree", timeout))]

    def names(self, timeout: float) -> Mapping[str, str]:
        return {str(name): str(process) for name, process in self._look("names", timeout).items()}

    def spawn(self, wanted: Spawning, timeout: float) -> str:
        return str(
            self._act(
                "spawn",
                timeout,
                target=wanted.function,
                args=tuple(map(_value, wanted.args)),
                name=wanted.name,
                prefer=wanted.prefer,
                node=wanted.node,
                under=wanted.under,
                restart=wanted.restart,
            )
        )

    def kill(self, target: str, reason: str, timeout: float) -> None:
        self._act("kill", timeout, target=target, reason=reason)

    def terminate(self, target: str, timeout: float) -> None:
        self._act("terminate", timeout, target=target)

    def restart(self, target: str, timeout: float) -> str:
        return str(self._act("restart", timeout, target=target))

    def send(self, target: str, message: Any, timeout: float) -> None:
        """A text is a literal of Python, such as `("add", "tea")`; any other text is itself."""
        self._act("send", timeout, target=target, message=_value(message))

    def suspend(self, target: str, timeout: float) -> None:
        self._look("suspend", timeout, target=target)

    def resume(self, target: str, timeout: float) -> None:
        self._look("resume", timeout, target=target)

    def collect_garbage(self, target: str, timeout: float) -> None:  # noqa: ARG002  it refuses all
        raise NotSupported(
            f"the garbage of a single process of {self.place.name} cannot be collected",
            cause="the processes of an embedded node share the memory of one Python",
        )

    def _look(self, verb: str, timeout: float, **arguments: Any) -> Any:
        try:
            return self._talk(lambda node: node.ask("processes", (verb, arguments), timeout=timeout))
        except CallTimeout as error:
            error.cause = error.cause or HELD_UP
            raise

    def _act(self, verb: str, timeout: float, **arguments: Any) -> Any:
        return self._talk(lambda node: node.ask("do processes", (verb, arguments), timeout=timeout))


def _value(given: Any) -> Any:
    """Raises UsageError for a literal that Python can read but not make."""
    if not isinstance(given, str):
        return given
    try:
        return ast.literal_eval(given)
    except (ValueError, SyntaxError):
        return given
    except TypeError as error:
        cause = f"it is written as a literal of Python, and Python says: {error}"
    except (MemoryError, RecursionError):
        cause = "it is written as a literal of Python, and is nested too deeply"
    raise UsageError(
        f"{reprlib.repr(given)} is no value that can be sent",
        cause=cause,
        remedies=["write the text in quotes of Python if it is to arrive as a text"],
    )
