"""A command is declared once; Invoke tasks and the program `clusterlib` are made of the declarations."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from clusterlib.doors.commands.options import JSON, Option
from clusterlib.doors.console import Console
from clusterlib.doors.exits import FAILED, INTERRUPTED
from clusterlib.errors import ClusterError, UsageError
from clusterlib.frozen import frozen
from clusterlib.hosts.essentials import check_essentials
from clusterlib.hosts.streams import open_standard_streams

__all__ = ["Body", "Command", "carry_out", "declare", "open_streams"]

Body = Callable[..., int | None]


@frozen
class Command:
    group: str
    """cluster, profile or test."""
    name: str
    body: Body
    """It is called with a console and its options, and gives back an exit code, or None for 0."""
    options: tuple[Option, ...]
    takes_rest: bool = False
    """Whether it does something with the words after `--`."""

    @property
    def full_name(self) -> str:
        """As Invoke calls it."""
        return f"{self.group}.{self.name}"

    @property
    def help(self) -> str:
        return (self.body.__doc__ or "").strip()

    def read(self, given: Mapping[str, object]) -> dict[str, Any]:
        """The options as the body takes them. Raises UsageError for what is not one."""
        rest, values = dict(given), {}
        for option in self.options:
            if option is JSON:
                continue
            value = rest.pop(option.name, None)
            if value is None and option.required:
                word = option.name.upper()
                raise UsageError(
                    f"{word} is missing",
                    remedies=[f"invoke {self.full_name} {word}", f"invoke --help {self.full_name}"],
                )
            values[option.name] = option.read(value)
        if rest:
            raise UsageError(f"there is no option {', '.join(rest)}")
        return values


def declare(group: str) -> Callable[..., Callable[[Body], Command]]:
    """The decorator that makes functions commands of this group."""

    def command(
        *options: Option, name: str = "", json: bool = True, takes_rest: bool = False
    ) -> Callable[[Body], Command]:
        def decorate(body: Body) -> Command:
            every = (*options, JSON) if json else options
            return Command(group, name or body.__name__.strip("_"), body, every, takes_rest)

        return decorate

    return command


def carry_out(command: Command, console: Console, given: Mapping[str, object]) -> int:
    """Runs it, says what went wrong, and gives back the exit code."""
    options: dict[str, Any] = {}
    try:
        check_essentials()
        options = command.read(given)
        return command.body(console, **options) or 0
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


def open_streams() -> None:
    """A command whose stream is closed (`>&-`) does without it."""
    open_standard_streams()
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            stream = open(number, "w" if number else "r", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def _unspeakable(error: UnicodeEncodeError) -> UsageError:
    """Python reads the names of files in another encoding than UTF-8, and a name does not exist in that."""
    usual = sys.getfilesystemencoding()
    if error.encoding != usual or usual == "utf-8":
        raise error
    return UsageError(
        f"a name has {error.object[error.start : error.end]!a} in it, which is no name here",
        cause=f"by its locale and PYTHONUTF8, Python takes the names of files for {usual}",
        remedies=["export LC_ALL=C.UTF-8", "unset PYTHONUTF8"],
    )
