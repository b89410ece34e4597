"""The words after a command become its options; mistakes in them become one error that says what is
right."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence

from clusterlib.doors.commands.command import Command
from clusterlib.errors import UsageError
from clusterlib.frozen import frozen
from clusterlib.operations.listing import ListedParameter

__all__ = ["CommandStyle", "Given", "all_of", "read_words", "similar"]

MOST_SUGGESTIONS = 3
NUMBER = re.compile(r"-\.?\d")


@frozen
class CommandStyle:
    """How commands are called at this door."""

    call: Callable[[Command], str]
    help: Callable[[Command], str]
    help_flags: Collection[str] = ()
    as_invoke: bool = False
    """Whether they are read as Invoke does: what begins with a dash is no bare word."""


@frozen
class Given:
    """What was typed after a command."""

    options: dict[str, object]
    """By name, as texts or True."""
    rest: tuple[str, ...] = ()
    """The words after `--`."""
    wants_help: bool = False


def read_words(command: Command, words: Sequence[str], style: CommandStyle) -> Given:
    """Options may come before, between and after the bare words. Raises UsageError, with every
    mistake."""
    return _WordReader(command, style).read(words)


def all_of(mistakes: Sequence[UsageError]) -> UsageError:
    """One error that says what each of them says."""
    if len(mistakes) == 1:
        return mistakes[0]
    remedies = dict.fromkeys(remedy for one in mistakes for remedy in one.remedies)
    return UsageError(
        f"{len(mistakes)} mistakes in the command",
        evidence=[f"{one.problem}; {one.cause}" if one.cause else one.problem for one in mistakes],
        remedies=sorted(remedies, key=lambda remedy: "--help" in remedy),  # what helps with all, last
    )


def similar(word: str, known: Collection[str]) -> list[str]:
    """The most similar ones, the nearest first."""
    return difflib.get_close_matches(word, known, MOST_SUGGESTIONS)


class _WordReader:
    def __init__(self, command: Command, style: CommandStyle) -> None:
        self.command = command
        self.style = style
        self.given: dict[str, object] = {}
        self.bare = [option for option in command.options if option.word]
        self.flags = {flag: option for option in command.options for flag in option.flags}
        self.mistakes: list[UsageError] = []

    @property
    def called(self) -> str:
        return self.style.call(self.command)

    @property
    def help(self) -> str:
        return self.style.help(self.command)

    def read(self, words: Sequence[str]) -> Given:
        queue, rest = list(words), tuple[str, ...]()
        while queue:
            word = queue.pop(0)
            if word == "--":
                if not self.command.takes_rest:
                    self._refuse(f"{self.called} takes nothing after --")
                rest, queue = tuple(queue), []
            elif word in self.style.help_flags:
                return Given({}, wants_help=True)
            elif self._is_option(word):
                self._take_option(word, queue)
            elif self.bare:
                self._set(self.bare.pop(0), word)
            else:
                self.mistakes.append(self._surplus(word))
        if self.mistakes:
            raise all_of(self.mistakes)
        return Given(self.given, rest)

    def _is_option(self, word: str) -> bool:
        """A number below zero is a value, unless an option is called so."""
        is_number = NUMBER.match(word) and word[:2] not in self.flags and not self.style.as_invoke
        return word.startswith("-") and word != "-" and not is_number

    def _take_option(self, word: str, queue: list[str]) -> None:
        flag, has_value, value = word.partition("=")
        if not word.startswith("--") and len(word) > len("-x"):
            flag, attached = word[:2], word[2:]
            if flag in self.flags and not self.flags[flag].takes_value and f"-{attached[0]}" in self.flags:
                queue.insert(0, f"-{attached}")  # -fv
                has_value = value = ""
            else:  # -n3
                has_value, value = "=", attached.removeprefix("=")
        option = self.flags.get(flag)
        if option is None:
            self._refuse_option(word, queue)
        elif not option.takes_value:
            if has_value:
                self._refuse(f"{flag} takes no value", remedies=[f"{self.called} {flag}"])
            self.given[option.name] = not option.negates
        elif has_value:
            self._set(option, value)
        elif queue and queue[0] not in self.flags:
            self._set(option, queue.pop(0))
        else:
            self._refuse(f"{flag} needs a value")

    def _refuse_option(self, word: str, queue: list[str]) -> None:
        """What was its value is not one more mistake."""
        flag, has_value, value = word.partition("=")
        if NUMBER.match(word):
            meant = [f"{one.flag} {word}" for one in self.bare]
            cause = "Invoke takes for an option what begins with a dash"
            self._refuse(
                f"{self.called} has no option {word}", cause, [f"{self.called} {one}" for one in meant]
            )
            return
        flags = [*(option.flag for option in self.command.options), "--help"]
        near = similar(flag, flags)
        takes_value = [name for name in near if name in self.flags and self.flags[name].takes_value]
        if near[:1] == takes_value[:1] and near and not has_value and queue and queue[0] not in self.flags:
            value = queue.pop(0)
        said = {name: f" {shlex.quote(value)}" if value and name in takes_value else "" for name in near}
        remedies = [f"{self.called} {name}{said[name]}" for name in near]
        self._refuse(f"{self.called} has no option {flag}", f"it has {', '.join(flags)}", remedies)

    def _set(self, option: ListedParameter, value: str) -> None:
        if option.name in self.given:
            self._refuse(f"{option.flag} is given twice")
        self.given[option.name] = value

    def _refuse(self, problem: str, cause: str | None = None, remedies: Sequence[str] = ()) -> None:
        remedies = list(dict.fromkeys([*remedies, self.help]))
        self.mistakes.append(UsageError(problem, cause=cause, remedies=remedies))

    def _surplus(self, word: str) -> UsageError:
        """The error for a surplus word, with what was probably meant."""
        taken = [option.name.upper() for option in self.command.options if option.word]
        remedies = _meant(self.command, word, self.given, self.called) if word.isprintable() else []
        return UsageError(
            f"{self.called} does not know what to do with {word!r}",
            cause=f"it takes no word beside {' and '.join(taken)}"
            if taken
            else "it takes no words, only options",
            remedies=[*remedies, self.help],
        )


def _meant(command: Command, word: str, given: Mapping[str, object], called: str) -> list[str]:
    quoted = shlex.quote(word)
    if command.takes_rest:
        return [f"{called} -- {quoted}"]
    if f"--{word}" in {one.flag for one in command.options if not one.takes_value}:
        return [f"{called} --{word}"]
    options = {one.name: one for one in command.options if one.takes_value and one.name not in given}
    words = [one for one in command.options if one.word]
    said = [shlex.quote(str(given[one.name])) for one in words if one.name in given]
    if "command" in options:  # of a shell
        return [" ".join((called, *said, "-c", quoted))]
    if len(words) == 1 and words[0].completes == "nodes":
        return [f"{called} {said[0]} && {called} {quoted}"] if said else []
    if words:
        return []
    likely = ["nodes"] if word.isdigit() else ["profile", "name"]
    return [f"{called} {options[name].flag} {quoted}" for name in likely if name in options]
