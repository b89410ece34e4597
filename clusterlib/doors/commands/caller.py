"""The caller of an operation at a console: shows progress, and knows how parameters are written
there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from clusterlib.operations.catalogue import project_here
from clusterlib.operations.declaring import Caller
from clusterlib.operations.parameters import Parameter

if TYPE_CHECKING:
    from clusterlib.client.connection import Listener
    from clusterlib.doors.console import Console

__all__ = ["ConsoleCaller", "called"]


class ConsoleCaller(Caller):
    def __init__(self, console: Console) -> None:
        super().__init__(project_here())
        self._console = console
        self._progress: Listener | None = None

    @property
    def structured(self) -> bool:
        return self._console.json

    @property
    def on_event(self) -> Listener:
        if self._progress is None:
            self._progress = self._console.progress()
        return self._progress

    def note(self, text: str) -> None:
        self._console.note(text)

    def show(self, result: object) -> None:
        from clusterlib.doors.commands.answering import aside

        aside(self._console, result)


def called(words: Sequence[str]) -> Callable[[Parameter], str]:
    """Names parameters as they were written in this command line: --count, or COUNT for a bare
    word."""

    def written(parameter: Parameter) -> str:
        flag = f"--{parameter.name.replace('_', '-')}"
        bare = parameter.word and not any(word.partition("=")[0] == flag for word in words)
        return parameter.name.upper() if bare else flag

    return written
