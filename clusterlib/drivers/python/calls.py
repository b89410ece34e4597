"""Calls of embedded nodes, over the port that the nodes use for each other, with the project's
cookie."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from clusterlib.drivers.calls import Evaluation, NodeCalls
from clusterlib.drivers.place import Place
from clusterlib.errors import CallTimeout, NodeUnavailable
from clusterlib.runtime.client import CodeDigest, NodeClient

if TYPE_CHECKING:
    from clusterlib.drivers.processes import ProcessCalls

__all__ = ["PythonCalls"]

T = TypeVar("T")
SESSION = "clusterlib.drivers.python.shell_session"


class PythonCalls(NodeCalls):
    evaluates = True
    has_prompt = True
    examined_directly = True

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._client: NodeClient | None = None
        self._lock = threading.Lock()

    def call(self, target: str, args: Sequence[Any], kwargs: Mapping[str, Any], timeout: float) -> Any:
        return self._ask(lambda node: node.call(target, args, kwargs, timeout=timeout))

    def run(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], timeout: float
    ) -> Any:
        return self._ask(lambda node: node.run(function, args, kwargs, timeout=timeout))

    def members(self, timeout: float) -> list[str]:
        return list(self._ask(lambda node: node.members(timeout=timeout)))

    def ping(self, timeout: float) -> float:
        return float(self._ask(lambda node: node.ping(timeout=timeout)))

    def digest(self, timeout: float) -> CodeDigest:
        return self._ask(lambda node: node.digest(timeout=timeout))

    def stacks(self, timeout: float) -> list[str]:
        return list(self._talk().ask("stacks", timeout=timeout))

    def evaluate(self, session: str, source: str, timeout: float) -> Evaluation:
        answer = self.call(f"{SESSION}:evaluate", (session, source), {}, timeout)
        return Evaluation(answer["value"], answer["output"], answer["traceback"])

    def complete(self, session: str, text: str, timeout: float) -> list[str]:
        return [str(name) for name in self.call(f"{SESSION}:complete", (session, text), {}, timeout)]

    def forget(self, session: str, timeout: float) -> None:
        self.call(f"{SESSION}:forget", (session,), {}, timeout)

    @property
    def processes(self) -> ProcessCalls:
        from clusterlib.drivers.python.processes import PythonProcesses

        return PythonProcesses(self.place, self._ask)

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _ask(self, ask: Callable[[NodeClient], T]) -> T:
        """Asks the node at its address.

        A node that was removed and added again is asked at its new address."""
        client = self._talk()
        try:
            return ask(client)
        except (NodeUnavailable, CallTimeout) as error:
            if not isinstance(error.__cause__, ConnectionRefusedError) or not self._moved(client):
                raise
        return ask(self._talk())

    def _talk(self) -> NodeClient:
        """The connection pool to the node."""
        known = self._client
        if known is not None:
            return known
        address, port = self._where()  # not under the lock: the answer may be that this node is gone
        with self._lock:
            if self._client is None:
                self._client = NodeClient(self.place.name, address, port, str(self.place.cookie_file))
                self._client.unanswered = self.place.look
            return self._client

    def _moved(self, client: NodeClient) -> bool:
        if self._where() == (client.address, client.port):
            return False
        self.close()
        return True

    def _where(self) -> tuple[str, int]:
        node = self.place.status()
        return node.address, node.ports["cluster"]
