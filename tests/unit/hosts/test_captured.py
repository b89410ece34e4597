"""Commands whose output is read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clusterlib.errors import ProgramMissing
from clusterlib.hosts.captured import run_captured
from clusterlib.hosts.command_groups import TIMED_OUT
from clusterlib.hosts.identity import Identity
from clusterlib.waiting import Deadline, poll

CAPTURES = """
import os, sys
from clusterlib.hosts.captured import run_captured
run_captured(sys.argv[1:], environment=os.environ, timeout=600)
"""


def test_output_and_errors_of_a_captured_command_come_apart() -> None:
    done = run_captured(["sh", "-c", "echo out; echo err >&2; exit 3"], environment=os.environ, timeout=10)

    assert (done.code, done.output, done.errors) == (3, "out\n", "err\n")


def test_a_captured_command_is_killed_at_its_timeout_with_what_it_has_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"trap '' TERM; sleep 600 & echo $! >{pids}; echo begun; wait"

    done = run_captured(["sh", "-c", script], environment=os.environ, timeout=0.5)

    assert (done.code, done.output) == (TIMED_OUT, "begun\n")
    assert poll(lambda: Identity.of(int(pids.read_text())) is None, Deadline(5))


def test_a_captured_command_ends_when_its_caller_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    caller = subprocess.Popen([sys.executable, "-c", CAPTURES, "sh", "-c", f"echo $$ >{pids}; sleep 600"])
    assert poll(lambda: pids.exists() and pids.read_text().strip(), Deadline(20))
    command = Identity.of(int(pids.read_text()))
    assert command is not None

    caller.send_signal(signal.SIGKILL)
    caller.wait()

    assert poll(lambda: not command.alive(), Deadline(10))


def test_a_captured_command_that_does_not_exist_is_named() -> None:
    with pytest.raises(ProgramMissing, match="no-such-client"):
        run_captured(["no-such-client"], environment=os.environ, timeout=10)
