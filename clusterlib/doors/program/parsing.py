"""Parses a command line of the program into a command and its options."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from clusterlib.doors.commands.command import Command, commands, troubles
from clusterlib.doors.commands.words import CommandStyle, read_words, similar
from clusterlib.doors.program.wording import MAIN_GROUP, ProgramWording, words_of
from clusterlib.errors import UsageError
from clusterlib.frozen import frozen

__all__ = ["HELP", "PROGRAM_WORDS", "Call", "find_command", "groups", "parse", "style_of"]

HELP = frozenset({"--help", "-h"})
PROGRAM_WORDS = ProgramWording()


@frozen
class Call:
    command: Command
    given: dict[str, object]
    """Options by name, as texts or True."""
    rest: tuple[str, ...]
    """The words after `--`."""
    wants_help: bool = False


def groups() -> list[str]:
    """The first words that need a second one."""
    return list(dict.fromkeys(words_of(one)[0] for one in commands() if len(words_of(one)) > 1))


def find_command(
    words: Sequence[str], wording: ProgramWording = PROGRAM_WORDS
) -> tuple[Command, Sequence[str]]:
    """The command that the first words name, and the words after it.

    `cluster.up` and `cluster up` are both accepted."""
    first, *others = words
    if first == MAIN_GROUP and others:
        return find_command(others, wording)
    for command in commands():
        called = words_of(command)
        if tuple(words[: len(called)]) == called:
            return command, words[len(called) :]
        if first == command.full_name:
            return command, others
    raise _unknown(first, others, wording)


def _unknown(first: str, others: Sequence[str], wording: ProgramWording) -> UsageError:
    line = wording.line
    if first.startswith("-"):
        return UsageError(
            f"{first} is no command",
            cause="options come after the command",
            remedies=[*_after_the_command(first, others, wording), _help(wording)],
        )
    if first == MAIN_GROUP:
        return UsageError(f"{first} needs a second word", remedies=[_help(wording)])
    if first not in groups():
        near = [line(name) for name in _near(first.rpartition(".")[2], _names())]
        return UsageError(
            f"there is no command {first!r}", evidence=_troubles(), remedies=[*near, _help(wording)]
        )
    paths = [words_of(one) for one in commands()]
    names = {path[1]: line(*path) for path in paths if len(path) > 1 and path[0] == first}
    if not others:
        return UsageError(f"{first} needs a second word", remedies=[*names.values(), _help(wording, first)])
    near = [names[name] for name in similar(others[0], names)]
    return UsageError(
        f"there is no command '{first} {others[0]}'",
        evidence=_troubles(),
        remedies=[*(near or names.values()), _help(wording, first)],
    )


def _after_the_command(flag: str, others: Sequence[str], wording: ProgramWording) -> list[str]:
    """The command line with this flag in its place, if the other words name a command that has
    it."""
    try:
        command, _ = find_command(others, wording) if others else (None, ())
    except UsageError:
        return []
    has_it = command is not None and any(flag in one.flags for one in command.options if not one.takes_value)
    return [wording.line(shlex.join([*others, flag]))] if has_it else []


def _help(wording: ProgramWording, *words: str) -> str:
    """`clusterlib profile --help`; where nothing calls the program, `help profile`."""
    return wording.line(*words, "--help") if wording.call else " ".join(("help", *words))


def _troubles() -> list[str]:
    """Of the project's own operations: one that is missed may be among them."""
    return [str(one) for one in troubles()]


def _names() -> dict[str, str]:
    """Commands by their last word: `report` is found, too."""
    return {one.name: " ".join(words_of(one)) for one in reversed(commands())}


def parse(words: Sequence[str], wording: ProgramWording = PROGRAM_WORDS) -> Call:
    """Raises UsageError."""
    if not words:
        raise UsageError("no command is given", remedies=[_help(wording)])
    command, left = find_command(words, wording)
    given = read_words(command, left, style_of(wording))
    return Call(command, given.options, given.rest, given.wants_help)


def _near(word: str, known: Mapping[str, str]) -> list[str]:
    return [known[name] for name in similar(word, known)]


def style_of(wording: ProgramWording) -> CommandStyle:
    """How operations are called: `clusterlib restart node2`."""
    return CommandStyle(
        lambda command: wording.line(*words_of(command)),
        lambda command: _help(wording, *words_of(command)),
        HELP,
    )
