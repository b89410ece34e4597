"""How a command is carried out: its options are read, its operation runs, its answer is printed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clusterlib.doors.commands.command import Command
from clusterlib.doors.exits import FAILED, INTERRUPTED
from clusterlib.errors import ClusterError, UsageError
from clusterlib.hosts.essentials import check_essentials
from clusterlib.hosts.streams import open_standard_streams
from clusterlib.operations.catalogue import load
from clusterlib.remedies import do

if TYPE_CHECKING:
    from clusterlib.doors.console import Console

__all__ = ["Conversation", "carry_out", "open_streams"]

Conversation = Callable[["Console", Any], int]
"""Does something with a result that is no document, and returns the exit code."""


def carry_out(
    command: Command,
    console: Console,
    given: Mapping[str, object],
    typed: Sequence[str] | None = None,
    conversations: Mapping[str, Conversation] | None = None,
) -> int:
    """Runs the command, reports errors, and returns the exit code.

    `typed`: the words of the command line, if they are not those of this process. `conversations`:
    those that only this door has, by the class of the result."""
    name: str | None = None
    try:
        check_essentials()
        operation = load(command.operation)
        from clusterlib.doors.commands.caller import ConsoleCaller, called  # with the operation

        try:
            values = operation.read(given, called(sys.argv if typed is None else typed))
        except UsageError as error:
            _add_call(error, command, given)
            raise
        name = values.pop("name", None) if operation.takes_cluster else values.get("name")
        with console.stdout_for_answer_only(command.takes_rest or command.of_project):
            result = operation.called_by(
                ConsoleCaller(console), name, (), values, console.remainder if operation.words else ()
            )
        if talk := (conversations or {}).get(f"{type(result).__module__}.{type(result).__name__}"):
            return talk(console, result)
        # Not before: until a keeper has been started, every import is waited for.
        from clusterlib.doors.commands.answering import answer

        return answer(console, result)
    except ClusterError as error:
        from clusterlib.operations.showing import shown  # only where something goes wrong

        console.error(shown(error, name))
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


def _add_call(error: UsageError, command: Command, given: Mapping[str, object]) -> None:
    """If something that it needs is missing, the call that has it."""
    needed = [option for option in command.options if option.required and given.get(option.name) is None]
    if needed:
        calls = [one.name.upper() if one.word else f"{one.flag} {one.stands_for}" for one in needed]
        whole = do(command.full_name) + f" {' '.join(calls)}"
        error.remedies = (whole, do(command.full_name, help=True))


def open_streams() -> None:
    """A command with a closed stream (`>&-`) works without it."""
    open_standard_streams()
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            stream = open(number, "w" if number else "r", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def _unspeakable(error: UnicodeEncodeError) -> UsageError:
    """Python reads the names of files in another encoding than UTF-8, and a name does not exist in
    that."""
    usual = sys.getfilesystemencoding()
    if error.encoding != usual or usual == "utf-8":
        raise error
    return UsageError(
        f"a name has {error.object[error.start : error.end]!a} in it, which is no name here",
        cause=f"by its locale and PYTHONUTF8, Python takes the names of files for {usual}",
        remedies=["export LC_ALL=C.UTF-8", "unset PYTHONUTF8"],
    )
