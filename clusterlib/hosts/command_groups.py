"""A command in a process group of its own, which ends when we do."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from clusterlib.errors import ProgramMissing, StartError
from clusterlib.remedies import do

__all__ = ["SCARCE", "TIMED_OUT", "signal_group", "spawn_into", "start_error", "warden"]

TIMED_OUT = 124
"""The exit code of a command that took too long, the same as that of `timeout`."""
WARDEN = "trap '' INT TERM HUP QUIT TSTP TTIN TTOU; read -r _ || kill -KILL 0"
"""A shell that leads the process group of a command.

It reads a pipe: a line means that all is well. The end of the pipe means that we died; then it
kills its own group. While the leader lives, the group cannot belong to anything else."""

SCARCE = {
    errno.EAGAIN: ["ulimit -u  # processes and threads allowed", do("cluster.doctor")],
    errno.EMFILE: ["ulimit -n  # open files allowed", do("cluster.doctor")],
    errno.ENFILE: ["sysctl fs.file-nr  # open files of the whole machine, and how many there may be"],
    errno.ENOMEM: ["free -m  # memory left"],
}
"""What to check if a resource of the machine is exhausted."""


@contextlib.contextmanager
def warden() -> Iterator[int]:
    """A process group for a command, led by a shell that ends the group when we die."""
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "wb", buffering=0) as line:
        try:
            leader = subprocess.Popen(
                ["/bin/sh", "-c", WARDEN], stdin=read_end, process_group=0, stdout=subprocess.DEVNULL
            )
        finally:
            os.close(read_end)
        try:
            yield leader.pid
        finally:
            with contextlib.suppress(BrokenPipeError):
                line.write(b"well\n")
            leader.wait()


def spawn_into(
    argv: Sequence[str],
    group: int,
    *,
    environment: Mapping[str, str] | None,
    directory: str | Path | None,
    output: int | None = None,
    errors: int | None = None,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            env=None if environment is None else dict(environment),
            cwd=directory,
            process_group=group,
            stdin=None if output is None else subprocess.DEVNULL,
            stdout=output,
            stderr=output if errors is None else errors,
        )
    except OSError as error:
        raise start_error(argv[0], error, environment) from error


def signal_group(group: int, number: int) -> None:
    """Signals all processes of the group.

    The warden ignores all signals that can be ignored, and dies of SIGKILL with the rest."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def start_error(program: str, error: OSError, environment: Mapping[str, str] | None = None) -> StartError:
    from shutil import which

    path = (os.environ if environment is None else environment).get("PATH", os.defpath)

    # An unreadable folder of PATH turns "not found" into "permission denied".
    missing = isinstance(error, FileNotFoundError) or (
        "/" not in program and which(program, path=path) is None
    )
    if missing and error.filename in {program, None}:
        return ProgramMissing(
            f"there is no program {program!r}",
            evidence=[f"PATH={path}"],
            remedies=[f"install {program}, or add its folder to PATH"],
        )
    return StartError(
        f"{program} could not be started",
        cause=f"{error.strerror}: {error.filename or program}",
        remedies=SCARCE.get(error.errno or 0, ()),
    )
