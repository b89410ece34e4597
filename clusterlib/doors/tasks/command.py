"""What all tasks have in common: their options, their exit codes, how an error leaves, how JSON is kept pure."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from typing import Any, ClassVar

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.tasks import Task

from clusterlib.doors.console import Console
from clusterlib.doors.exits import FAILED, INTERRUPTED
from clusterlib.doors.tasks.options import JSON, Option, follows
from clusterlib.errors import ClusterError, UsageError

__all__ = ["ClusterTask", "command", "remainder"]

Body = Callable[..., int | None]


class ClusterTask(Task[Callable[..., None]]):
    """A task whose options come from declarations, not from a signature."""

    known: ClassVar[list[ClusterTask]] = []

    def __init__(self, body: Body, name: str, options: tuple[Option, ...]) -> None:
        super().__init__(_guarded(body, options), name=name, positional=(), auto_shortflags=False)
        self.__doc__ = body.__doc__
        self.options = options
        self.full_name = name
        ClusterTask.known.append(self)

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:  # noqa: ARG002 (the parent's)
        ours = [task.full_name for task in ClusterTask.known]
        given = any(option.word for option in self.options) and follows(self.name, self.options, ours)
        return [option.argument(positional=option.word and given) for option in self.options]


def command(*options: Option, name: str = "", json: bool = True) -> Callable[[Body], ClusterTask]:
    """Makes a function a task. It is called with a console and its options, and gives back an exit code, or None for 0."""

    def decorate(body: Body) -> ClusterTask:
        return ClusterTask(body, name or body.__name__.strip("_"), (*options, JSON) if json else options)

    return decorate


def remainder(context: Context) -> list[str]:
    """What came after `--`, word by word. Invoke joins the words, which loses their borders; the original has them."""
    if not context.remainder:
        return []
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    return words if " ".join(words) == context.remainder else shlex.split(context.remainder)


def _guarded(body: Body, options: tuple[Option, ...]) -> Callable[..., None]:
    def guarded(context: Context, **given: object) -> None:
        console = Console(json=bool(given.pop("json", False)), remainder=remainder(context))
        code = _carry_out(console, body, options, given)
        if code:
            raise Exit(code=code)

    guarded.__doc__ = body.__doc__
    guarded.__name__ = body.__name__
    guarded.__module__ = body.__module__
    return guarded


def _carry_out(console: Console, body: Body, options: tuple[Option, ...], given: dict[str, object]) -> int:
    try:
        return body(console, **_read(options, given)) or 0
    except ClusterError as error:
        console.error(error)
        return error.exit_code
    except KeyboardInterrupt:
        console.interrupted()
        return INTERRUPTED
    except BrokenPipeError:
        console.abandon()
        return FAILED
    finally:
        console.close()


def _read(options: tuple[Option, ...], given: dict[str, object]) -> dict[str, Any]:
    values = {}
    for option in options:
        if option is JSON:
            continue
        value = given.pop(option.name, None)
        if value is None and option.required:
            raise UsageError(f"a {option.name} is needed", cause=option.help)
        values[option.name] = option.read(value)
    if given:
        raise UsageError(f"there is no option {', '.join(given)}")
    return values
