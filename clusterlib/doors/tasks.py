"""Invoke tasks, made of the commands. In a project's own tasks.py: `from clusterlib.invoke import
namespace`.

To combine them with your own tasks: `ns = Collection(my_task);
ns.add_collection(namespace.collections["cluster"])`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.tasks import Task

from clusterlib.doors.commands.carrying import carry_out, open_streams
from clusterlib.doors.commands.command import Command, commands
from clusterlib.doors.console import Console
from clusterlib.doors.program.live import CONVERSATIONS
from clusterlib.doors.typed import bare_words, check_line
from clusterlib.frozen import replace
from clusterlib.operations.listing import ListedParameter

__all__ = ["ClusterTask", "namespace", "remainder"]


class ClusterTask(Task[Callable[..., None]]):
    """A task whose options come from declarations, not from a signature."""

    def __init__(self, command: Command) -> None:
        super().__init__(_body(command), name=command.name, positional=(), auto_shortflags=False)
        self.__doc__ = command.help
        self.command = command

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:  # noqa: ARG002 (the parent's)
        check_line()
        options = self.command.options
        # Invoke only knows words that are required: `cluster.logs` without a node would be refused.
        words = [option for option in options if option.word]
        given = words[: bare_words(self.command)] if words else []
        return [_argument(option, positional=option in given) for option in options]


def _body(command: Command) -> Callable[..., None]:
    def body(context: Context, **given: object) -> None:
        open_streams()
        console = Console(json=bool(given.pop("json", False)), remainder=remainder(context))
        said = _said(command, given)
        code = carry_out(command, console, said, conversations=CONVERSATIONS)
        if code:
            raise Exit(code=code)

    body.__doc__ = command.help
    body.__name__ = command.operation.function
    body.__module__ = command.operation.module
    return body


def _said(command: Command, given: Mapping[str, object]) -> dict[str, object]:
    """Without flags that were not given: Invoke has a value for each."""
    negating = {option.name for option in command.options if option.negates}
    known = {name: value for name, value in given.items() if value is not None and value is not False}
    return {name: False if name in negating else value for name, value in known.items()}


def _argument(option: ListedParameter, *, positional: bool) -> Argument:
    flag = option.flag.removeprefix("--")
    return Argument(
        names=tuple(one.lstrip("-") for one in option.flags),
        kind=str
        if option.takes_value
        else bool,  # numbers are read by `Parameter.read`, which explains mistakes
        default=None if option.takes_value else False,
        help=_explained(option),
        positional=positional,
        attr_name=option.name if flag != option.name else None,  # an alias of itself is an endless one
    )


def _explained(option: ListedParameter) -> str:
    """Invoke shows only the option, so its help says that a bare word will do."""
    if not option.word:
        return option.explained
    whole, end = option.help.partition(".")[::2]
    return replace(option, help=f"{whole}; may be given without {option.flag}.{end}").explained


def remainder(context: Context) -> list[str]:
    """The words after `--`. Invoke joins them, which loses their boundaries; the original command
    line has them.

    Invoke before 3.0 does not pass them to a task, so there the original is the only source."""
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    joined = getattr(context, "remainder", None)
    return words if joined in {None, " ".join(words)} else shlex.split(joined)


def _namespace() -> Collection:
    """A collection for each group; a group such as `cluster.faults` is inside that of its first
    word."""
    root = Collection()
    for command in commands():
        place = root
        for part in command.full_name.split(".")[:-1]:
            if part not in place.collections:
                place.add_collection(Collection(part))
            place = place.collections[part]
        place.add_task(ClusterTask(command))
    return root


namespace = _namespace()
