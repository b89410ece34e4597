"""A prompt whose statements are evaluated in a node."""

from __future__ import annotations

import codeop
from collections.abc import Iterable
from typing import TYPE_CHECKING

from clusterlib.doors.exits import FAILED
from clusterlib.doors.line_editing import LineEditing

if TYPE_CHECKING:
    from clusterlib.doors.console import Console
    from clusterlib.operations.shell import NodeShell

__all__ = ["Prompt", "Statements"]


class Statements:
    """Puts lines together to whole statements, by the rules of Python's own prompt."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._compile = codeop.CommandCompiler()

    @property
    def open(self) -> bool:
        return bool(self._lines)

    def add(self, line: str) -> str | None:
        """The statement, once it is complete.

        An invalid one is returned as it is, and the node reports the error."""
        self._lines.append(line)
        source = "\n".join(self._lines)
        try:
            if self._compile(source, "<prompt>", "single") is None:
                return None
        except (SyntaxError, ValueError, OverflowError):
            pass
        self._lines.clear()
        return source

    def rest(self) -> str | None:
        """The rest of the input at its end."""
        source = "\n".join(self._lines)
        self._lines.clear()
        return source if source.strip() else None


class Prompt:
    def __init__(self, console: Console, session: NodeShell) -> None:
        self._console = console
        self._session = session

    def talk(self) -> int:
        """With a person, until Ctrl-D or `exit`."""
        statements = Statements()
        mark = " [SIMULATED]" if self._session.cluster.simulated else ""
        self._console.line(
            f"Python in {self._session.node} of cluster {self._session.cluster.name}{mark}; "
            "this_node() is the node, _ the last value; Ctrl-D ends."
        )
        history = self._session.cluster.project / ".clusterlib" / "shell_history"
        with LineEditing(history, self._session.complete) as editing:
            while True:
                try:
                    line = editing.ask("... " if statements.open else f"{self._session.node}> ")
                except EOFError:
                    self._console.line()
                    return 0
                except KeyboardInterrupt:
                    statements.rest()
                    self._console.line()
                    continue
                editing.keep()
                if not statements.open and line.strip() in {"exit", "exit()", "quit", "quit()"}:
                    return 0
                source = statements.add(line)
                if source is not None and source.strip():
                    try:
                        self._evaluate(source)
                    except KeyboardInterrupt:
                        self._console.line("not waited for any longer; the node may still be at it")

    def read(self, lines: Iterable[str]) -> int:
        """From a pipe: statement by statement, to the end or the first exception."""
        statements = Statements()
        for line in lines:
            source = statements.add(line.rstrip("\n"))
            if source is not None and source.strip() and not self._evaluate(source):
                return FAILED
        source = statements.rest()
        return 0 if source is None or self._evaluate(source) else FAILED

    def _evaluate(self, source: str) -> bool:
        from clusterlib.doors.render import use as render

        result = self._session.evaluate(source)
        if self._console.json:
            self._console.record(result.to_dict())
        else:
            render.evaluated(self._console, result)
        return result.traceback is None
