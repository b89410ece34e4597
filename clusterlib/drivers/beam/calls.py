"""Calls of Erlang nodes, over Erlang's own distribution, as a hidden node."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clusterlib.drivers.calls import Evaluation, NodeCalls
from clusterlib.drivers.place import Place
from clusterlib.errors import ClusterError, NodeUnavailable, NotSupported

if TYPE_CHECKING:
    from clusterlib.drivers.beam.connection import Connection
    from clusterlib.drivers.processes import ProcessCalls
    from clusterlib.runtime.client import CodeDigest

__all__ = ["BeamCalls"]

HELPER = "clusterlib_node"
QUICKLY = 5.0


class BeamCalls(NodeCalls):
    evaluates = True
    loads_code = (".beam",)

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._connection: Connection | None = None
        self._opening = threading.Lock()
        self._lock = threading.Lock()

    def call(self, target: str, args: Sequence[Any], kwargs: Mapping[str, Any], timeout: float) -> Any:
        """`target` is the module; the function and the list of its arguments follow."""
        return self._call(target, *args, timeout=timeout, **kwargs)

    def members(self, timeout: float) -> list[str]:
        return sorted(str(name).partition("@")[0] for name in self._call(HELPER, "seen", timeout=timeout))

    def ping(self, timeout: float) -> float:
        began = time.monotonic()
        self._call("erlang", "node", timeout=timeout)
        return time.monotonic() - began

    def digest(self, timeout: float) -> CodeDigest:
        """Of the compiled modules."""
        from clusterlib.disk.code import modules_of
        from clusterlib.runtime.client import CodeDigest

        modules = [[name, str(path)] for name, path in modules_of(self.place.sources).items()]
        found = self._call(HELPER, "compare", [modules], timeout=timeout)
        running = {name.decode(): running.hex() for name, running, _ in found if isinstance(running, bytes)}
        stale = (name.decode() for name, running, on_disk in found if running != on_disk)
        return CodeDigest(running, tuple(sorted(stale)))

    def evaluate(self, session: str, source: str, timeout: float) -> Evaluation:
        from clusterlib.drivers.beam.terms import text

        try:
            answer = self._call(HELPER, "evaluate", [source, session], timeout=timeout)
        except KeyboardInterrupt:
            with contextlib.suppress(ClusterError):
                self._call(HELPER, "interrupt", [session], timeout=QUICKLY)
            raise
        shown = {str(key): text(value) for key, value in answer.items()}
        return Evaluation(shown.get("value"), shown["output"], shown.get("problem"))

    @property
    def processes(self) -> ProcessCalls:
        from clusterlib.drivers.beam.processes import BeamProcesses

        return BeamProcesses(self.place, self._call_about_processes)

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def refusal(self, method: str) -> NotSupported:
        del method
        return NotSupported(
            f"{self.place.name} runs no Python: it is an Erlang node",
            remedies=['node.call("lists", "reverse", [[1, 2, 3]])  # module, function, arguments'],
        )

    def _call(self, module: str, function: str, args: Sequence[Any] = (), *, timeout: float) -> Any:
        return self._connected(timeout).call(module, function, args, timeout=timeout)

    def _call_about_processes(self, module: str, function: str, args: Sequence[Any], timeout: float) -> Any:
        from clusterlib.drivers.beam.processes import MODULES

        connection = self._connected(timeout)
        connection.bring(MODULES, timeout=timeout)
        return connection.call(module, function, args, timeout=timeout)

    def _connected(self, timeout: float) -> Connection:
        """The connection to the node. One to an earlier process of the node is replaced."""
        with self._opening:
            if self._connection is None or self._connection.lost is not None:
                self.close()
                self._connection = self._open(timeout)
            return self._connection

    def _open(self, timeout: float) -> Connection:
        from clusterlib.drivers.beam.connection import Connection

        node = self.place.status()
        if node.pid is None:
            raise NodeUnavailable(f"{node.name} cannot be called", cause="it has no process")
        cookie = self.place.cookie_file.read_text(encoding="ascii").strip()
        return Connection.open(node.facts["node"], cookie, port=node.ports["cluster"], timeout=timeout)
