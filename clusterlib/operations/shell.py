"""A Python prompt in a node: what is typed here is evaluated there."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from clusterlib.errors import NotSupported
from clusterlib.lifecycle.cluster import Node
from clusterlib.operations.reach import reached
from clusterlib.operations.result import Result

__all__ = ["Evaluated", "NodeShell"]

WITHOUT_LIMIT = 30 * 86400.0
"""Whoever types an endless loop ends it with Ctrl-C, not with a timeout."""
QUICKLY = 5.0
SESSION = "clusterlib.operations.shell_session"


@dataclass(frozen=True, slots=True)
class Evaluated(Result):
    node: str
    value: str | None
    """`repr` of the value; None where there is nothing to show: after a statement, or for the value None."""
    output: str
    """What the code printed."""
    traceback: str | None


class NodeShell:
    """A session in one node. Names survive from one evaluation to the next, and are forgotten at the end."""

    def __init__(
        self, node: str | None = None, *, name: str | None = None, project: Path | str | None = None
    ) -> None:
        self._reached = reached(name, project=project)
        self._session = secrets.token_hex(8)
        self.cluster = self._reached.__enter__()
        try:
            self._node = self._choose(node)
        except BaseException:
            self._reached.__exit__(None, None, None)
            raise
        self.node = self._node.name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._node.state == "ready":
                self._node.call(f"{SESSION}:forget", self._session, timeout=QUICKLY)
        finally:
            self._reached.__exit__(kind, error, trace)

    def evaluate(self, source: str) -> Evaluated:
        """Runs statements in the node; the value of a last expression is given back. What it raises is a result, too."""
        told = self._node.call(f"{SESSION}:evaluate", self._session, source, timeout=WITHOUT_LIMIT)
        return Evaluated(self.node, told["value"], told["output"], told["traceback"])

    def complete(self, text: str) -> list[str]:
        """Names in the session that continue `text`."""
        found = self._node.call(f"{SESSION}:complete", self._session, text, timeout=QUICKLY)
        return [str(one) for one in found]

    def _choose(self, node: str | None) -> Node:
        status = self.cluster.status()
        if status["driver"] != "python":
            raise NotSupported(
                f"nodes of the driver {status['driver']!r} have no Python prompt",
                remedies=["invoke cluster.logs"],
            )
        if node is not None:
            return self.cluster[node]
        ready = next((one["name"] for one in status["nodes"] if one["state"] == "ready"), None)
        return self.cluster[ready] if ready else self.cluster.nodes[0]
