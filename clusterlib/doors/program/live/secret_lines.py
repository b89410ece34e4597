"""Which lines stay out of the history, because a secret may be in them.

It is decided by what was typed, before anything runs. If it cannot be decided, because the line is
mistyped or an operation is broken, the line stays out."""

from __future__ import annotations

from collections.abc import Sequence

from clusterlib.doors.commands.command import Command, commands, troubles
from clusterlib.doors.program.live.line import parse_line
from clusterlib.doors.program.live.wording import OWN_WORDS
from clusterlib.doors.program.parsing import HELP, find_command, parse
from clusterlib.errors import ClusterError, UsageError
from clusterlib.operations.catalogue import load

__all__ = ["may_have_secret"]


def may_have_secret(line: str) -> bool:
    try:
        typed = parse_line(line)
    except UsageError:
        return _any_takes_secrets()
    return any(_in_words(one.words) for one in typed)


def _in_words(words: Sequence[str]) -> bool:
    if words[0] == "help":  # perhaps before a whole line
        words = words[1:]
    elif words[0] in OWN_WORDS:
        return False
    try:
        command, arguments = find_command(words) if words else (None, ())
    except UsageError:
        return len(words) > 1 and _any_takes_secrets()
    only_help = len(arguments) == 1 and arguments[0] in HELP
    return command is not None and bool(arguments) and not only_help and _in_arguments(command, words)


def _in_arguments(command: Command, words: Sequence[str]) -> bool:
    try:
        secrets = {one.name for one in load(command.operation).parameters if one.secret}
    except ClusterError:
        return True
    if command.of_project and troubles():  # the version that is used may be an old one
        return True
    try:
        call = parse(words)
    except UsageError:
        return bool(secrets)
    return bool(secrets) if call.wants_help else bool(secrets & call.given.keys())


def _any_takes_secrets() -> bool:
    """Whether it is possible: an operation of clusterlib takes none."""
    return bool(troubles()) or any(one.of_project for one in commands())
