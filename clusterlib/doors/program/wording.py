"""Remedies and help name commands as Invoke does (`invoke cluster.up`); here they become those of
the program."""

from __future__ import annotations

import re
from collections.abc import Iterable

from clusterlib.doors.commands.command import Command

__all__ = ["ASK", "MAIN_GROUP", "PROGRAM", "Wording", "words_of"]

PROGRAM = "clusterlib"
ASK = "--complete"
"""`clusterlib --complete WORD ...` prints the completions of the last word.

It is called by shells."""
MAIN_GROUP = "cluster"
"""Its commands need not be named with their group: `clusterlib up`."""


def words_of(command: Command) -> tuple[str, ...]:
    """The words that call it."""
    return command.operation.path


class Wording:
    def __init__(self, commands: Iterable[Command]) -> None:
        self._called = {one.full_name: " ".join((PROGRAM, *words_of(one))) for one in commands}
        names = "|".join(re.escape(name) for name in sorted(self._called, key=len, reverse=True))
        self._named = re.compile(rf"(?<![\w./-])(?:invoke )?(--help )?({names})\b(?![./\w-])")

    def __call__(self, text: str) -> str:
        return self._named.sub(self._reworded, text)

    def _reworded(self, found: re.Match[str]) -> str:
        return self._called[found[2]] + (" --help" if found[1] else "")
