"""Starting what stays, and running what must not."""

from __future__ import annotations

import os
import pty
import resource
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterlib.errors import ProgramMissing, StartError
from clusterlib.hosts.command_groups import TIMED_OUT
from clusterlib.hosts.launch import CHANNEL, run_command, start_detached
from clusterlib.hosts.proc import MARKER, marked
from clusterlib.waiting import Deadline, poll

SECONDS = 30.0
RUNS = """
import sys
from clusterlib.hosts.launch import run_command
sys.exit(run_command(sys.argv[2:], timeout=float(sys.argv[1]) or None))
"""


def _shell(script: str) -> list[str]:
    return ["sh", "-c", script]


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
)
def test_the_exit_code_is_passed_on(script: str, code: int) -> None:
    assert run_command(_shell(script)) == code


def test_the_exit_code_is_passed_on_from_another_thread() -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(run_command(_shell("exit 5"), timeout=SECONDS)))
    thread.start()
    thread.join(SECONDS)
    assert codes == [5]


def test_environment_and_directory_are_the_given_ones(tmp_path: Path) -> None:
    environment = {"PATH": os.defpath, "COLOUR": "blue"}
    assert run_command(_shell('echo "$COLOUR" > out'), environment=environment, directory=tmp_path) == 0
    assert (tmp_path / "out").read_text() == "blue\n"


def test_a_missing_program_is_an_error_that_teaches() -> None:
    with pytest.raises(ProgramMissing) as caught:
        run_command(["no-such-program-anywhere"])
    assert caught.value.remedies


def test_a_missing_directory_is_not_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(StartError) as caught:
        run_command(["true"], directory=tmp_path / "missing")
    assert not isinstance(caught.value, ProgramMissing)
    assert str(tmp_path / "missing") in str(caught.value)


@pytest.mark.parametrize(
    "script",
    [
        "sleep 1000",
        "trap '' TERM; sleep 1000 & sleep 1000; wait",
        "sleep 1000 & exec sleep 1000",
        "kill -STOP $$",
    ],
)
def test_at_the_timeout_the_whole_group_is_ended(script: str) -> None:
    environment = {**os.environ, MARKER: (marker := os.urandom(8).hex())}
    assert run_command(_shell(script), environment=environment, timeout=0.2, grace=0.2) == TIMED_OUT
    assert poll(lambda: not marked(marker), Deadline(SECONDS))


def test_our_signal_handlers_are_back_afterwards() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
    before = [signal.getsignal(number) for number in numbers]
    run_command(["true"])
    assert [signal.getsignal(number) for number in numbers] == before


@pytest.fixture
def runner() -> Callable[..., subprocess.Popen[bytes]]:
    """A process that runs a shell script through `run_command`; ready when the script has printed a
    line."""

    def start(script: str, marker: str = "none") -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", RUNS, "0", *_shell(script)],
            env={**os.environ, MARKER: marker},
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process

    return start


def test_when_we_are_killed_the_whole_group_is_killed(runner: Callable[..., subprocess.Popen[bytes]]) -> None:
    marker = os.urandom(8).hex()
    process = runner("trap '' HUP TERM; sleep 1000 & echo ready; wait; sleep 1000", marker)
    assert len(marked(marker)) >= 3
    process.kill()
    process.communicate(timeout=SECONDS)  # to its end: nobody holds the pipe any more
    assert poll(lambda: not marked(marker), Deadline(SECONDS))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_us_is_handed_on(number: int, runner: Callable[..., subprocess.Popen[bytes]]) -> None:
    process = runner(f"trap 'exit 42' {number}; echo ready; while :; do sleep 0.01; done")
    process.send_signal(number)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 42


def test_a_signal_that_interrupts_nothing_is_handed_on_too(tmp_path: Path) -> None:
    """As a signal just before we begin to wait: the interpreter has noted it, no call returns."""
    os.mkfifo(ready := tmp_path / "ready")

    def strike() -> None:
        ready.read_text()
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    thread = threading.Thread(target=strike)
    thread.start()
    script = f"trap 'exit 42' TERM; echo > {ready}; while :; do sleep 0.01; done"
    code = run_command(_shell(script), timeout=SECONDS)
    thread.join(SECONDS)

    assert code == 42


def test_on_a_terminal_control_c_reaches_the_command_and_we_pass_on_its_code() -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        script = "trap 'exit 43' INT; echo ready; while :; do sleep 0.01; done"
        os.execv(sys.executable, [sys.executable, "-c", RUNS, "0", *_shell(script)])
    _read_until(terminal, b"ready")
    os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 43


def test_on_a_terminal_control_z_stops_us_too_and_going_on_goes_on() -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        script = "echo ready; read answer; echo got $answer; exit 44"
        os.execv(sys.executable, [sys.executable, "-c", RUNS, "0", *_shell(script)])
    _read_until(terminal, b"ready")
    os.write(terminal, b"\x1a")
    stopped, status = os.waitpid(pid, os.WUNTRACED)
    assert stopped == pid
    assert os.WIFSTOPPED(status)
    os.kill(pid, signal.SIGCONT)
    os.write(terminal, b"hello\n")
    _read_until(terminal, b"got hello")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 44


def _read_until(terminal: int, wanted: bytes) -> None:
    text = b""
    deadline = Deadline(SECONDS)
    while wanted not in text:
        assert select.select([terminal], [], [], deadline.left)[0], text
        text += os.read(terminal, 1000)


def test_a_detached_process_has_its_channel_its_session_and_its_log(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    program = (
        "import os, socket, sys; channel = socket.socket(fileno=int(sys.argv[1])); print('to the log', flush=True);"
        "os.write(int(sys.argv[2]), b'inherited'); channel.sendall(str(os.getsid(0)).encode()); channel.recv(1)"
    )
    channel = start_detached(
        [sys.executable, "-c", program, CHANNEL, str(write_end)],
        environment={"PATH": os.defpath},
        directory=tmp_path,
        log=tmp_path / "boot.log",
        fds=[write_end],
    )
    os.close(write_end)
    with channel:
        channel.settimeout(SECONDS)
        session = int(channel.recv(100))
        assert session != os.getsid(0)
    assert os.read(read_end, 100) == b"inherited"
    assert os.read(read_end, 100) == b""  # it ended when we hung up
    os.close(read_end)
    os.waitpid(session, 0)
    assert (tmp_path / "boot.log").read_text() == "to the log\n"
    assert (tmp_path / "boot.log").stat().st_mode & 0o777 == 0o600


def test_a_detached_process_is_hung_up_on_where_its_start_is_interrupted(tmp_path: Path) -> None:
    def interrupt(pid: int) -> None:
        pids.append(pid)
        raise KeyboardInterrupt

    pids: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        start_detached(
            [
                sys.executable,
                "-c",
                "import socket, sys; socket.socket(fileno=int(sys.argv[1])).recv(1)",
                CHANNEL,
            ],
            environment={"PATH": os.defpath},
            directory=tmp_path,
            log=tmp_path / "log",
            begun=interrupt,
        )

    assert os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]) == 0


def test_a_detached_process_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProgramMissing):
        start_detached(["no-such-program"], environment={}, directory=tmp_path, log=tmp_path / "log")


def test_what_the_machine_has_no_more_of_is_said_with_what_shows_it(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        with pytest.raises(StartError) as told:
            start_detached(["true"], environment={}, directory=tmp_path, log=2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert told.value.cause == "Too many open files: true"
    assert told.value.remedies[0] == "ulimit -n  # open files allowed"
