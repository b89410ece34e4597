"""The command line that Invoke is about to read.

Invoke asks each task for its arguments before it reads the words after it. That is the only moment
at which a task can do more than Invoke does: see whether it is given a word that it may have, and
refuse words that make no sense with those that would. Invoke ends with the `Exit` of a task."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

from invoke.exceptions import Exit
from invoke.program import Program
from invoke.tasks import Task

from clusterlib.doors.commands.command import Command, commands
from clusterlib.doors.commands.words import CommandStyle, all_of, read_words, similar
from clusterlib.doors.console import Console
from clusterlib.errors import UsageError
from clusterlib.frozen import frozen

__all__ = ["Part", "TypedLine", "bare_words", "check_line"]

Called = Command | Task[Any]
"""One of ours, or a task of the project."""
HELP = frozenset({"--help", "-h"})


@frozen
class Part:
    """The name of a task on the command line, and the words after it."""

    name: str
    words: tuple[str, ...]
    task: Called | None
    """None if there is no task of this name."""


class TypedLine:
    def __init__(
        self,
        words: Sequence[str],
        tasks: Mapping[str, Called],
        core: dict[str, bool] | None = None,
        rest: Sequence[str] = (),
    ) -> None:
        self.words = words
        """After Invoke's own options, up to the `--`."""
        self.tasks = tasks
        """By each of their names."""
        self.core = core or {}
        """The flags of Invoke itself, which may also stand after a task: whether they take a
        value."""
        self.rest = rest
        """After the `--`."""

    @staticmethod
    def of_invoke() -> TypedLine | None:
        """None in another program that is made with Invoke: nothing says which one is running."""
        program: Program | None = getattr(sys.modules.get("invoke.main"), "program", None)
        if program is None or getattr(program, "collection", None) is None:
            return None
        return _line(program, tuple(program.core.unparsed), program.core.remainder)

    @staticmethod
    def of_program(program: Program) -> TypedLine:
        collection, flags = program.collection, program.initial_context.flags
        return TypedLine(
            program.core.unparsed,
            {
                each: getattr(collection[name], "command", collection[name])
                for name, others in collection.task_names.items()
                for each in (name, *others)
            },
            {flag: bool(one.takes_value and not one.optional) for flag, one in flags.items()},
            program.core.remainder.split(),
        )

    @staticmethod
    def of_process() -> TypedLine:
        """By what it was started with. Only our tasks are known, by the end of their names."""
        words = sys.argv[1 : sys.argv.index("--") if "--" in sys.argv else None]
        known = {one.name: one for one in commands()}
        last = {word: known.get(word.rpartition(".")[2]) for word in words}
        return TypedLine(words, {word: one for word, one in last.items() if one is not None})

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        return tuple(self._parts())

    def _parts(self) -> Iterator[Part]:
        """Invoke takes the name of a task for the next task, unless a word must come first."""
        queue = list(self.words)
        while queue:
            name = queue.pop(0)
            task = self.tasks.get(name)
            flags, awaited = _taken(task)
            words = list[str]()
            while queue and (awaited > 0 or queue[0] not in self.tasks):
                words.append(queue.pop(0))
                if (self.core | flags).get(words[-1]) and queue:
                    words.append(queue.pop(0))
                elif not words[-1].startswith("-"):
                    awaited -= 1
            yield Part(name, tuple(words), task)

    def bare_words(self, part: Part) -> int:
        """How many words of it are neither an option nor the value of one."""
        flags, found, queue = self.core | _taken(part.task)[0], 0, list(part.words)
        while queue:
            word = queue.pop(0)
            found += not word.startswith("-")
            if flags.get(word) and queue:
                queue.pop(0)
        return found

    # -- what is wrong with it

    @cached_property
    def mistakes(self) -> Sequence[UsageError]:
        """In what is said to our tasks, and in words that were meant as one of them."""
        if any(HELP & set(part.words) for part in self.parts):
            return []
        found = list[UsageError]()
        for part in self.parts:
            if part.task is None:
                found += self._unknown(part.name)
            elif isinstance(part.task, Command):
                try:
                    read_words(part.task, self._words_of(part), _style(part.name))
                except UsageError as error:
                    found += self._meant_as_task(part) or [error]
        return found

    def _words_of(self, part: Part) -> list[str]:
        """Without the options of Invoke itself.

        Any task may use the words after `--`. If none does, the last one is asked."""
        own, kept, queue = _taken(part.task)[0], list[str](), list(part.words)
        while queue:
            word = queue.pop(0)
            flag, _, value = word.partition("=")
            of_core = flag in self.core and flag not in own
            with_value = [queue.pop(0)] if queue and (self.core | own).get(flag) and not value else []
            kept += [] if of_core else [word, *with_value]
        used = any(not isinstance(one.task, Command) or one.task.takes_rest for one in self.parts)
        return kept if used or not self.rest or part is not self.parts[-1] else [*kept, "--", *self.rest]

    def _meant_as_task(self, part: Part) -> list[UsageError]:
        """Words after a task that were meant as the next one."""
        dotted = [word for word in part.words if "." in word and not word.startswith("-")]
        return [_no_task(word, meant) for word in dotted if (meant := self._similar(word))]

    def _unknown(self, word: str) -> list[UsageError]:
        """The error for a word that is no task, if one of ours was probably meant. Invoke itself
        has one for others."""
        meant = self._similar(word)
        return [_no_task(word, meant)] if meant or word.rpartition(".")[0] in self._groups() else []

    def _groups(self) -> dict[str, dict[str, str]]:
        """Our tasks by their group and their last name, which have their whole name."""
        groups: dict[str, dict[str, str]] = {}
        for name, task in self.tasks.items():
            group, _, last = name.rpartition(".")
            if isinstance(task, Command) and group:
                groups.setdefault(group, {})[last] = name
        return groups

    def _similar(self, word: str) -> list[str]:
        """Ours that are similar, if no other task is more so."""
        groups = self._groups()
        group, _, last = word.rpartition(".")
        if group in groups:
            known = groups[group]
        elif group:
            known = {name: name for name in self.tasks}
            last = word
        else:
            known = {short: name for some in groups.values() for short, name in some.items()}
            known |= {name: name for name in self.tasks if "." not in name}
        near = [known[one] for one in similar(last, known)]
        of_us = [name for name in near if isinstance(self.tasks[name], Command)]
        return of_us if near[:1] == of_us[:1] else []


def _no_task(word: str, meant: Sequence[str]) -> UsageError:
    group = (meant[0] if meant else word).rpartition(".")[0]
    return UsageError(
        f"there is no task {word!r}",
        remedies=[*(f"invoke {name}" for name in meant), f"invoke --list {group}".strip()],
    )


@lru_cache(maxsize=1)
def _line(program: Program, words: tuple[str, ...], rest: str) -> TypedLine:  # noqa: ARG001 (what it is remembered by)
    """Read once, as each of our tasks asks for it."""
    return TypedLine.of_program(program)


def check_line() -> None:
    """Ends Invoke with exit code 2 if something is wrong in what is said to our tasks."""
    line = TypedLine.of_invoke()
    if line is not None and (mistakes := line.mistakes):
        Console(json="--json" in line.words).error(all_of(mistakes))
        raise Exit(code=UsageError.exit_code)


def bare_words(command: Command) -> int:
    """How many bare words the command line has for this command."""
    line = TypedLine.of_invoke() or TypedLine.of_process()
    return next((line.bare_words(part) for part in line.parts if part.task == command), 0)


def _taken(task: Called | None) -> tuple[dict[str, bool], int]:
    """The flags of a task: whether they take a value. And how many words must come first."""
    if isinstance(task, Command):
        return {flag: one.takes_value for one in task.options for flag in one.flags}, 0
    arguments = task.get_arguments() if task is not None else []
    flags = {_flag(name): bool(one.takes_value) for one in arguments for name in one.names}
    return flags, sum(one.positional and one.default is None for one in arguments)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}" if len(name) > 1 else f"-{name}"


def _style(name: str) -> CommandStyle:
    """A task may have another name in the collection of a project."""
    return CommandStyle(lambda _: f"invoke {name}", lambda _: f"invoke --help {name}", as_invoke=True)
