"""From the words of a command line to a command and its options; and what is said of words that make no sense."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from clusterlib.doors.commands import COMMANDS
from clusterlib.doors.commands.declaring import Command
from clusterlib.doors.commands.options import Kind, Option
from clusterlib.doors.program.wording import MAIN_GROUP, PROGRAM, words_of
from clusterlib.errors import UsageError
from clusterlib.frozen import frozen

__all__ = ["HELP", "Call", "find_command", "groups", "parse"]

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
    return list(dict.fromkeys(one.group for one in COMMANDS if one.group != MAIN_GROUP))


def find_command(words: Sequence[str]) -> tuple[Command, Sequence[str]]:
    """The command that the first words name, and the words after it. `cluster.up` is understood, too."""
    first = words[0]
    for command in COMMANDS:
        called = words_of(command)
        if tuple(words[: len(called)]) == called:
            return command, words[len(called) :]
        if first == command.full_name:
            return command, words[1:]
    if first in groups():
        second = words[1] if len(words) > 1 and not words[1].startswith("-") else None
        names = [one.name for one in COMMANDS if one.group == first]
        problem = (
            f"{first} needs a second word" if second is None else f"there is no command '{first} {second}'"
        )
        raise UsageError(
            problem,
            evidence=[f"{PROGRAM} {first} {name}" for name in names],
            remedies=[f"{PROGRAM} --help"],
        )
    every = [*(" ".join(words_of(one)) for one in COMMANDS), *(one.full_name for one in COMMANDS)]
    near = [f"{PROGRAM} {name}" for name in _near(first.removeprefix(f"{MAIN_GROUP}."), every)]
    raise UsageError(f"there is no command {first!r}", remedies=[*near, f"{PROGRAM} --help"])


def parse(words: Sequence[str]) -> Call:
    """Options may come before, between and after the bare words. Raises UsageError."""
    words = list(words)
    rest: tuple[str, ...] = ()
    has_rest = "--" in words
    if has_rest:
        at = words.index("--")
        words, rest = words[:at], tuple(words[at + 1 :])
    if not words:
        raise UsageError("no command is given", remedies=[f"{PROGRAM} --help"])
    command, left = find_command(words)
    if HELP & set(left):
        return Call(command, {}, rest, wants_help=True)
    given: dict[str, object] = {}
    bare = [option for option in command.options if option.word]
    queue = list(left)
    while queue:
        word = queue.pop(0)
        if word.startswith("-") and word != "-":
            _take_option(command, word, queue, given)
        elif bare:
            option = bare.pop(0)
            _set(command, given, option, word)
        else:
            raise _surplus(command, word)
    if has_rest and not command.takes_rest:
        raise UsageError(
            f"{_called(command)} takes nothing after --",
            remedies=[_help(command)],
        )
    return Call(command, given, rest)


def _take_option(command: Command, word: str, queue: list[str], given: dict[str, object]) -> None:
    flag, has_value, value = word.partition("=")
    if not word.startswith("--") and len(word) > len("-x"):  # -n3
        flag, has_value, value = word[:2], "=", word[2:].removeprefix("=")
    option = next((one for one in command.options if flag in one.flags), None)
    if option is None:
        flags = [one.flag for one in command.options]
        near = [f"{_called(command)} {name}" for name in _near(flag, flags)]
        raise UsageError(f"{_called(command)} has no option {flag}", remedies=[*near, _help(command)])
    if not option.takes_value:
        if has_value:
            raise UsageError(f"{flag} takes no value", remedies=[f"{_called(command)} {flag}"])
        given[option.name] = True
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


def _surplus(command: Command, word: str) -> UsageError:
    """A word too many, and the option that was probably meant."""
    meant = [one for one in command.options if one.takes_value and not one.word]
    if word.isdigit():
        likely = [one for one in meant if one.kind is Kind.WHOLE]
    else:
        likely = [one for one in meant if one.name in {"profile", "name"}]
    words = [f"{_called(command)} {option.flag} {word}" for option in likely]
    taken = [option.name.upper() for option in command.options if option.word]
    return UsageError(
        f"{_called(command)} does not know what to do with {word!r}",
        cause=f"it takes no word beside {' and '.join(taken)}"
        if taken
        else "it takes no words, only options",
        remedies=[*words, _help(command)],
    )


def _near(word: str, known: Sequence[str]) -> list[str]:
    return difflib.get_close_matches(word, known, MOST_SUGGESTIONS, cutoff=0.6)


def _called(command: Command) -> str:
    return " ".join((PROGRAM, *words_of(command)))


def _help(command: Command) -> str:
    return f"{_called(command)} --help"
