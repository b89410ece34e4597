"""Remedies and help name commands as Invoke does (`invoke cluster.up`); here they become those of
the program."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from clusterlib.doors.commands.command import Command

__all__ = ["ASK", "CALL", "MAIN_GROUP", "PROGRAM", "Wording", "how_to_call", "words_of"]

PROGRAM = "clusterlib"


def how_to_call(started_as: str) -> str:
    """`python -m clusterlib` if it was started so and its script is not on the PATH."""
    if Path(started_as).parts[-2:] != (PROGRAM, "__main__.py"):
        return PROGRAM
    import shutil

    found, ours = shutil.which(PROGRAM), Path(sys.executable).with_name(PROGRAM)
    same = found is not None and ours.exists() and ours.samefile(found)
    return PROGRAM if same else f"python -m {PROGRAM}"


CALL = how_to_call(sys.argv[0])
"""The beginning of the command lines that help and remedies show."""
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
        self._called = {one.full_name: " ".join((CALL, *words_of(one))) for one in commands}
        names = "|".join(re.escape(name) for name in sorted(self._called, key=len, reverse=True))
        self._named = re.compile(rf"(?<![\w./-])(?:invoke )?(--help )?({names})\b(?![./\w-])")

    def __call__(self, text: str) -> str:
        return self._named.sub(self._reworded, text)

    def _reworded(self, found: re.Match[str]) -> str:
        return self._called[found[2]] + (" --help" if found[1] else "")
