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
from clusterlib.hosts.essentials import check_essentials
from clusterlib.hosts.streams import open_standard_streams

__all__ = ["ClusterTask", "command", "remainder"]

Body = Callable[..., int | None]


class ClusterTask(Task[Callable[..., None]]):
    """A task whose options come from declarations, not from a signature."""

    known: ClassVar[list[ClusterTask]] = []

    def __init__(self, body: Body, name: str, options: tuple[Option, ...]) -> None:
        super().__init__(self._guarded(body, options), name=name, positional=(), auto_shortflags=False)
        self.__doc__ = body.__doc__
        self.options = options
        self.full_name = name
        ClusterTask.known.append(self)

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:  # noqa: ARG002 (the parent's)
        ours = [task.full_name for task in ClusterTask.known]
        given = any(option.word for option in self.options) and follows(self.name, self.options, ours)
        return [option.argument(positional=option.word and given) for option in self.options]

    def _guarded(self, body: Body, options: tuple[Option, ...]) -> Callable[..., None]:
        def guarded(context: Context, **given: object) -> None:
            _open_streams()
            console = Console(json=bool(given.pop("json", False)), remainder=remainder(context))
            code = _carry_out(console, body, lambda: _read(options, given, self.full_name))
            if code:
                raise Exit(code=code)

        guarded.__doc__ = body.__doc__
        guarded.__name__ = body.__name__
        guarded.__module__ = body.__module__
        return guarded


def command(*options: Option, name: str = "", json: bool = True) -> Callable[[Body], ClusterTask]:
    """Makes a function a task. It is called with a console and its options, and gives back an exit code, or None for 0."""

    def decorate(body: Body) -> ClusterTask:
        return ClusterTask(body, name or body.__name__.strip("_"), (*options, JSON) if json else options)

    return decorate


def remainder(context: Context) -> list[str]:
    """What came after `--`, word by word. Invoke joins the words, which loses their borders; the original has them.

    Invoke before 3.0 does not give a task what came after `--`: there the original is all there is."""
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    joined = getattr(context, "remainder", None)
    return words if joined in {None, " ".join(words)} else shlex.split(joined)


def _carry_out(console: Console, body: Body, read: Callable[[], dict[str, Any]]) -> int:
    options: dict[str, Any] = {}
    try:
        check_essentials()
        options = read()
        return body(console, **options) or 0
    except ClusterError as error:
        from clusterlib.operations.showing import shown  # only where something goes wrong

        console.error(shown(error, options.get("name")))
        return error.exit_code
    except KeyboardInterrupt:
        console.interrupted()
        return INTERRUPTED
    except BrokenPipeError:
        console.abandon()
        return FAILED
    except UnicodeEncodeError as error:
        console.error(_unspeakable(error))
        return UsageError.exit_code
    finally:
        console.close()


def _open_streams() -> None:
    """Whoever closes a stream (`>&-`) does without it, and has everything else."""
    open_standard_streams()
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            stream = open(number, "w" if number else "r", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def _unspeakable(error: UnicodeEncodeError) -> UsageError:
    """Python was told to take the names of files for something else than UTF-8, and a name is not made of that."""
    usual = sys.getfilesystemencoding()
    if error.encoding != usual or usual == "utf-8":
        raise error
    return UsageError(
        f"a name has {error.object[error.start : error.end]!a} in it, which is no name here",
        cause=f"by its locale and PYTHONUTF8, Python takes the names of files for {usual}",
        remedies=["export LC_ALL=C.UTF-8", "unset PYTHONUTF8"],
    )


def _read(options: tuple[Option, ...], given: dict[str, object], task: str) -> dict[str, Any]:
    values = {}
    for option in options:
        if option is JSON:
            continue
        value = given.pop(option.name, None)
        if value is None and option.required:
            word = option.name.upper()
            raise UsageError(
                f"{word} is missing", remedies=[f"invoke {task} {word}", f"invoke --help {task}"]
            )
        values[option.name] = option.read(value)
    if given:
        raise UsageError(f"there is no option {', '.join(given)}")
    return values
