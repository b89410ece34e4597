"""For clients: runs commands whose output is read."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence

from clusterlib.frozen import frozen
from clusterlib.hosts.command_groups import TIMED_OUT, signal_group, spawn_into, warden

__all__ = ["CapturedOutput", "run_captured"]


@frozen
class CapturedOutput:
    """A command that has ended, or was ended."""

    code: int
    output: str
    errors: str


def run_captured(argv: Sequence[str], *, environment: Mapping[str, str], timeout: float) -> CapturedOutput:
    """Runs a command without interaction and returns what it printed. Exit codes as with
    `run_command`; at the timeout its whole group is killed.

    If we are interrupted or killed, so is its whole group. Threads may call this side by side."""
    with warden() as group:
        command = spawn_into(
            argv,
            group,
            environment=environment,
            directory=None,
            output=subprocess.PIPE,
            errors=subprocess.PIPE,
        )
        with command:
            try:
                code, (output, errors) = 0, command.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                signal_group(group, signal.SIGKILL)
                code, (output, errors) = TIMED_OUT, command.communicate()
            except BaseException:
                signal_group(group, signal.SIGKILL)
                raise
    code = code or (command.returncode if command.returncode >= 0 else 128 - command.returncode)
    return CapturedOutput(code, output.decode(errors="replace"), errors.decode(errors="replace"))
