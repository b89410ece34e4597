"""`clusterlib COMMAND ...`, or `python -m clusterlib COMMAND ...`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from clusterlib import __version__
from clusterlib.doors.commands.carrying import carry_out, open_streams
from clusterlib.doors.console import Console
from clusterlib.doors.exits import FAILED
from clusterlib.doors.program.help import overview, usage
from clusterlib.doors.program.live import CONVERSATIONS
from clusterlib.doors.program.parsing import HELP, groups, parse
from clusterlib.doors.program.wording import ASK, CALL, MAIN_GROUP, PROGRAM, ProgramWording, help_wording
from clusterlib.errors import UsageError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    open_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    own = words[: words.index("--")] if "--" in words else words
    console = Console(json="--json" in own, wording=ProgramWording())  # until it is known what the words mean
    try:
        return _carry_out(words, console)
    except UsageError as error:
        console.error(error)
        return error.exit_code
    except BrokenPipeError:
        console.abandon()
        return FAILED


def _carry_out(words: Sequence[str], console: Console) -> int:
    first, *others = words or [""]
    if first in {"", "help", *HELP} and not others:
        console.line(overview(console.width, help_wording()))
        return 0 if first else UsageError.exit_code
    if first in {"help", *HELP}:  # `help kill`, `--help kill`
        words = [*others, "--help"]
    if words[0] == MAIN_GROUP and len(words) > 1 and words[1] in HELP:
        console.line(overview(console.width, help_wording()))
        return 0
    if words[0] in OWN:
        return OWN[words[0]](console, words[1:])
    if words[0] in groups() and len(words) > 1 and words[1] in HELP:
        console.line(overview(console.width, help_wording(), only=words[0]))
        return 0
    call = parse(words)
    if call.wants_help:
        console.line(usage(call.command, console.width, help_wording()))
        return 0
    console.json = bool(call.given.pop("json", False))
    console.remainder = list(call.rest)
    return carry_out(call.command, console, call.given, conversations=CONVERSATIONS)


def _version(console: Console, _: Sequence[str]) -> int:
    console.line(f"{PROGRAM} {__version__}")
    return 0


def _candidates(console: Console, words: Sequence[str]) -> int:
    from clusterlib.doors.program.completion import candidates

    for word in candidates(words):
        console.line(word)
    return 0


def _completion(console: Console, shells: Sequence[str]) -> int:
    from clusterlib.doors.program.completion import SHELLS

    known = [f"{CALL} completion {shell}" for shell in SHELLS]
    if len(shells) == 1 and shells[0] in SHELLS:
        console.line(SHELLS[shells[0]].rstrip())
    elif HELP & set(shells):
        console.line("\n".join(["usage:", *(f"  {line}" for line in known)]))
    else:
        problem = f"there is no completion for {' '.join(shells)!r}" if shells else "for which shell?"
        raise UsageError(problem, remedies=known)
    return 0


def _mcp(console: Console, words: Sequence[str]) -> int:
    if HELP & set(words):
        from clusterlib.doors.mcp.allowing import usage

        console.line(usage(CALL))
        return 0
    from clusterlib.doors.mcp.main import serve

    return serve(CALL, words)


OWN = {"--version": _version, "completion": _completion, "mcp": _mcp, ASK: _candidates}
"""What only the program has; all else is a command."""
