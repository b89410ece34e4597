"""Parses a command line into a command and its options, with helpful errors for unknown words."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Mapping, Sequence

from clusterlib.doors.commands.command import Command, Option, commands, troubles
from clusterlib.doors.program.wording import MAIN_GROUP, PROGRAM, words_of
from clusterlib.errors import UsageError
from clusterlib.frozen import frozen

__all__ = ["HELP", "Call", "called", "find_command", "groups", "parse"]

HELP = frozenset({"--help", "-h"})
MOST_SUGGESTIONS = 3


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


def find_command(words: Sequence[str]) -> tuple[Command, Sequence[str]]:
    """The command that the first words name, and the words after it.

    `cluster.up` and `cluster up` are both accepted."""
    first, *others = words
    if first == MAIN_GROUP and others:
        return find_command(others)
    for command in commands():
        called = words_of(command)
        if tuple(words[: len(called)]) == called:
            return command, words[len(called) :]
        if first == command.full_name:
            return command, others
    raise _unknown(first, others)


def _unknown(first: str, others: Sequence[str]) -> UsageError:
    if first.startswith("-"):
        return UsageError(
            f"{first} is no command", cause="options come after the command", remedies=[f"{PROGRAM} --help"]
        )
    if first not in groups():
        near = [f"{PROGRAM} {name}" for name in _near(first.rpartition(".")[2], _names())]
        return UsageError(
            f"there is no command {first!r}", evidence=_troubles(), remedies=[*near, f"{PROGRAM} --help"]
        )
    paths = [words_of(one) for one in commands()]
    names = {path[1]: " ".join((PROGRAM, *path)) for path in paths if len(path) > 1 and path[0] == first}
    if not others:
        return UsageError(
            f"{first} needs a second word", remedies=[*names.values(), f"{PROGRAM} {first} --help"]
        )
    near = [names[name] for name in difflib.get_close_matches(others[0], names, MOST_SUGGESTIONS)]
    return UsageError(
        f"there is no command '{first} {others[0]}'",
        evidence=_troubles(),
        remedies=[*(near or names.values()), f"{PROGRAM} {first} --help"],
    )


def _troubles() -> list[str]:
    """Of the project's own operations: one that is missed may be among them."""
    return [str(one) for one in troubles()]


def _names() -> dict[str, str]:
    """Commands by their last word: `report` is found, too."""
    return {one.name: " ".join(words_of(one)) for one in reversed(commands())}


def parse(words: Sequence[str]) -> Call:
    """Options may come before, between and after the bare words. Raises UsageError."""
    if not words:
        raise UsageError("no command is given", remedies=[f"{PROGRAM} --help"])
    command, left = find_command(words)
    given: dict[str, object] = {}
    bare = [option for option in command.options if option.word]
    queue = list(left)
    while queue:
        word = queue.pop(0)
        if word == "--":
            if not command.takes_rest:
                raise UsageError(f"{called(command)} takes nothing after --", remedies=[_help(command)])
            return Call(command, given, tuple(queue))
        if word in HELP:
            return Call(command, {}, (), wants_help=True)
        if word.startswith("-") and word != "-":
            _take_option(command, word, queue, given)
        elif bare:
            _set(command, given, bare.pop(0), word)
        else:
            raise _surplus(command, word, given)
    return Call(command, given, ())


def _take_option(command: Command, word: str, queue: list[str], given: dict[str, object]) -> None:
    flag, has_value, value = word.partition("=")
    if not word.startswith("--") and len(word) > len("-x"):  # -n3
        flag, has_value, value = word[:2], "=", word[2:].removeprefix("=")
    option = next((one for one in command.options if flag in one.flags), None)
    if option is None:
        flags = [*(one.flag for one in command.options), "--help"]
        near = [
            f"{called(command)} {name}" for name in difflib.get_close_matches(flag, flags, MOST_SUGGESTIONS)
        ]
        raise UsageError(
            f"{called(command)} has no option {flag}",
            cause=f"it has {', '.join(flags)}",
            remedies=dict.fromkeys([*near, _help(command)]),
        )
    if not option.takes_value:
        if has_value:
            raise UsageError(f"{flag} takes no value", remedies=[f"{called(command)} {flag}"])
        given[option.name] = not option.negates
        return
    if not has_value:
        if not queue:
            raise UsageError(f"{flag} needs a value", remedies=[_help(command)])
        value = queue.pop(0)
    _set(command, given, option, value)


def _set(command: Command, given: dict[str, object], option: Option, value: str) -> None:
    if option.name in given:
        raise UsageError(f"{option.flag} is given twice", remedies=[_help(command)])
    given[option.name] = value


def _surplus(command: Command, word: str, given: Mapping[str, object]) -> UsageError:
    """The error for a surplus word, with the option that was probably meant."""
    taken = [option.name.upper() for option in command.options if option.word]
    remedies = _meant(command, word, given) if word.isprintable() else []
    return UsageError(
        f"{called(command)} does not know what to do with {word!r}",
        cause=f"it takes no word beside {' and '.join(taken)}"
        if taken
        else "it takes no words, only options",
        remedies=[*remedies, _help(command)],
    )


def _meant(command: Command, word: str, given: Mapping[str, object]) -> list[str]:
    quoted = shlex.quote(word)
    if command.takes_rest:
        return [f"{called(command)} -- {quoted}"]
    options = {one.name: one for one in command.options if one.takes_value and one.name not in given}
    if "command" in options:  # of a shell
        before = [
            shlex.quote(str(given[one.name])) for one in command.options if one.word and one.name in given
        ]
        return [" ".join((called(command), *before, "-c", quoted))]
    if any(one.word for one in command.options):
        return []
    likely = ["nodes"] if word.isdigit() else ["profile", "name"]
    return [f"{called(command)} {options[name].flag} {quoted}" for name in likely if name in options]


def _near(word: str, known: Mapping[str, str]) -> list[str]:
    return [known[name] for name in difflib.get_close_matches(word, known, MOST_SUGGESTIONS)]


def called(command: Command) -> str:
    return " ".join((PROGRAM, *words_of(command)))


def _help(command: Command) -> str:
    return f"{called(command)} --help"
