"""How the program calls operations: `clusterlib restart node2`."""

from __future__ import annotations

import sys
from pathlib import Path

from clusterlib.doors.commands.command import Command, commands
from clusterlib.doors.wording import HelpWording, Wording
from clusterlib.remedies import OperationCall

__all__ = [
    "ASK",
    "CALL",
    "MAIN_GROUP",
    "PROGRAM",
    "ProgramHelp",
    "ProgramWording",
    "help_wording",
    "how_to_call",
    "words_of",
]

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


class ProgramWording(Wording):
    def __init__(self, call: str = CALL) -> None:
        self.call = call
        """What calls the program. Empty where the words of a command are enough."""

    def command(self, call: OperationCall) -> str:
        return call.typed(self.name(call.operation))

    def name(self, operation: str) -> str:
        return self.line(*operation.removeprefix(f"{MAIN_GROUP}.").split("."))

    def line(self, *words: str) -> str:
        """A command line with these words."""
        return " ".join(filter(None, (self.call, *words)))


class ProgramHelp(HelpWording):
    """Help, with operations as a program calls them."""

    def __init__(self, names: ProgramWording) -> None:
        super().__init__((one.operation for one in commands()), names)
        self.names = names


def help_wording() -> ProgramHelp:
    """As this program does."""
    return ProgramHelp(ProgramWording())
