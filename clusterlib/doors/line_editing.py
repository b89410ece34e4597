"""A line that a person types: editing, completion, and a history over sessions, by Python's
readline.

Without readline, lines can be typed, but nothing more."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Self

__all__ = ["LineEditing"]

KEPT_LINES = 2000
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
Complete = Callable[[str], list[str]]


class LineEditing:
    """One prompt may be opened within another: each has its own history and completion."""

    def __init__(self, history: Path, complete: Complete, *, between: str = "") -> None:
        self._path = history
        self._complete = complete
        self._between = between
        """The characters between words; those of Python if it is empty."""
        self._found: list[str] = []
        self._before: tuple[list[str], object, str] = ([], None, "")
        self._length = self._asked = 0
        """Lines of the history: before the line that is asked for, and with it."""
        self._readline: ModuleType | None = None

    @property
    def capable(self) -> bool:
        return self._readline is not None

    def __enter__(self) -> Self:
        try:
            import readline
        except ImportError:
            return self
        self._readline = readline
        lines = [readline.get_history_item(n + 1) for n in range(readline.get_current_history_length())]
        self._before = lines, readline.get_completer(), readline.get_completer_delims()
        readline.clear_history()
        with contextlib.suppress(OSError):
            readline.read_history_file(self._path)
        readline.set_completer(self._completed)
        if self._between:
            readline.set_completer_delims(self._between)
        readline.parse_and_bind("tab: complete")
        readline.parse_and_bind("set show-all-if-ambiguous on")
        readline.set_history_length(KEPT_LINES)
        self._length = readline.get_current_history_length()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._readline is None:
            return
        lines, completer, between = self._before
        self._readline.clear_history()
        for line in lines:
            self._readline.add_history(line)
        self._readline.set_completer(completer)
        self._readline.set_completer_delims(between)

    def ask(self, prompt: str, typed: str = "") -> str:
        """A line, which begins with what was `typed` already. Raises what `input` raises."""
        if self._readline is None:
            return input(prompt)
        insert = self._readline.insert_text
        self._readline.set_startup_hook((lambda: insert(typed)) if typed else None)
        try:
            line = input(prompt)
        finally:
            self._readline.set_startup_hook(None)
        self._asked = self._readline.get_current_history_length()
        return line

    def unseen(self, text: str) -> str:
        """The text with its colours marked: they take no room on the line."""
        return COLOUR.sub("\x01\\g<0>\x02", text) if self.capable else text

    @property
    def whole_line(self) -> str:
        """What is typed so far."""
        return "" if self._readline is None else str(self._readline.get_line_buffer())

    @property
    def line(self) -> str:
        """What is typed so far, up to the word that is completed, and with it."""
        return "" if self._readline is None else self.whole_line[: self._readline.get_endidx()]

    def keep(self) -> None:
        """Adds the line that was asked for to the file, behind those of other sessions."""
        if self._readline is None or not self._is_new():
            return
        self._length = self._asked
        with contextlib.suppress(OSError):
            os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
            self._readline.append_history_file(1, self._path)
            self._path.chmod(0o600)

    def forget(self) -> None:
        """Drops the line that was asked for, because a secret is in it."""
        if self._readline is not None and self._is_new():
            self._readline.remove_history_item(self._length)

    def _is_new(self) -> bool:
        """Whether the line is a new one in the history: not empty, and not the same one again.

        What was typed since, as the answer to a question, is no line of the history."""
        if self._readline is None:
            return False
        while self._readline.get_current_history_length() > self._asked:
            self._readline.remove_history_item(self._readline.get_current_history_length() - 1)
        return self._asked > self._length

    def _completed(self, text: str, number: int) -> str | None:
        if number == 0:
            try:
                self._found = self._complete(text)
            except Exception:  # noqa: BLE001 - a completion that fails must not disturb the line being typed
                self._found = []
        return self._found[number] if number < len(self._found) else None
