"""Talks with a person at the live prompt, or carries out commands that come from elsewhere."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType

from clusterlib.doors.console import Console
from clusterlib.doors.exits import INTERRUPTED
from clusterlib.doors.line_editing import LineEditing
from clusterlib.doors.paint import STATES
from clusterlib.doors.program.live.completing import completions
from clusterlib.doors.program.live.session import LiveSession
from clusterlib.doors.program.live.wording import LiveWording
from clusterlib.operations.live import ClusterGlance, LivePrompt

__all__ = ["converse"]

HISTORY = "live_history"
BETWEEN = " \t\n;|>&"
"""Words are completed from one of these to the next."""
SOON, OFTEN = 0.1, 1.0
"""Seconds until the state of the cluster is looked at while the prompt is open, and between looks.

A look takes a fraction of a millisecond."""


class _StateChanged(Exception):
    """The prompt shows another state than the cluster has. What was typed is kept."""

    def __init__(self, typed: str) -> None:
        super().__init__(typed)
        self.typed = typed


def converse(console: Console, live: LivePrompt) -> int:
    """Returns the exit code."""
    console.wording = LiveWording()
    console.compact = console.json
    talks = live.command is None and sys.stdin.isatty() and sys.stdout.isatty()
    session = LiveSession(console, Path(live.project), with_person=talks)
    try:
        if live.cluster is not None:
            session.use(live.cluster)
        if talks:
            return _Talk(session).run()
        return _read(session, sys.stdin if live.command is None else live.command.split("\n"))
    finally:
        session.close()


def _read(session: LiveSession, lines: Iterable[str]) -> int:
    """To the end, or to the first command that fails."""
    for line in lines:
        code = session.carry_out(line.rstrip("\n"))
        if code or session.ended:
            return code
    return 0


class _Talk:
    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self._console = session.console
        self._shown = ClusterGlance(running=False)
        history = session.project / ".clusterlib" / HISTORY
        self._editing = LineEditing(history, lambda _: completions(self._editing.line), between=BETWEEN)

    def run(self) -> int:
        self._console.line(f"Project {self._session.project}; help shows what can be done, Ctrl-D ends.")
        with self._editing:
            while not self._session.ended:
                try:
                    line = self._ask()
                except EOFError:
                    self._console.line()
                    break
                except KeyboardInterrupt:
                    self._console.line()
                    continue
                self._carry_out(line)
        return 0

    def _carry_out(self, line: str) -> None:
        code = self._session.carry_out(line)
        if self._session.secret:
            self._editing.forget()
        else:
            self._editing.keep()
        if code == INTERRUPTED:
            self._console.line()

    def _ask(self) -> str:
        typed = ""
        while True:
            for trouble in self._session.news():
                self._console.note(trouble)
            try:
                with self._looked_at():
                    return self._editing.ask(self._prompt(), typed)
            except _StateChanged as changed:
                typed = changed.typed
                self._console.line("\r\x1b[K" if self._console.paint.colours else "")

    def _prompt(self) -> str:
        """`shop:web1 [ready]> `"""
        self._shown = self._session.glance()
        where = self._session.cluster + (f":{self._session.node}" if self._session.node else "")
        state = str(self._shown)
        colour = STATES.get(str(self._shown.state) if self._shown.running else "stopped", "")
        paint = self._console.paint
        return self._editing.unseen(f"{paint(where, 'bold')} [{paint(state, colour)}]> ")

    @contextlib.contextmanager
    def _looked_at(self) -> Iterator[None]:
        """Asks anew as soon as the cluster has another state than the prompt shows."""
        if not self._editing.capable:
            yield
            return

        def look(_number: int, _frame: FrameType | None) -> None:
            if self._session.glance() != self._shown:
                raise _StateChanged(self._editing.whole_line)

        before = signal.signal(signal.SIGALRM, look)
        signal.setitimer(signal.ITIMER_REAL, SOON, OFTEN)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
