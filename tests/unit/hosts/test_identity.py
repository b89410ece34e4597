"""A PID alone is never trusted; what dead keepers left is swept, and nothing else."""

from __future__ import annotations

import dataclasses
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clusterlib.errors import StartError
from clusterlib.hosts import proc
from clusterlib.hosts.identity import Identity
from clusterlib.hosts.places import runtime_dir, socket_path, write_private
from clusterlib.hosts.proc import MARKER
from clusterlib.hosts.registry import RegisteredCluster, Registry, sweep_leftovers
from clusterlib.messages.codec import plain, revive
from clusterlib.waiting import Deadline, poll

Sleeper = Callable[[str], "subprocess.Popen[bytes]"]


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    """Starts a process that carries a marker; it is gone at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(marker: str) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(["sleep", "1000"], env={**os.environ, MARKER: marker}))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def _of(process: subprocess.Popen[bytes]) -> Identity:
    found = Identity.of(process.pid)
    assert found is not None
    return found


def _ended() -> Identity:
    with subprocess.Popen(["sleep", "1000"]) as process:
        found = _of(process)
        process.kill()
    return found


def _entry(marker: str, keeper: Identity, guard: Identity, control: Path) -> RegisteredCluster:
    return RegisteredCluster(marker, "id", "demo", "/project", str(control), "/run", keeper, guard)


def test_a_process_knows_itself() -> None:
    assert Identity.current() == Identity.of(os.getpid())
    assert Identity.current().alive()
    assert revive(Identity, plain(Identity.current())) == Identity.current()


def test_a_killed_process_is_not_alive_even_while_it_is_a_zombie(sleeper: Sleeper) -> None:
    process = sleeper("none")
    identity = _of(process)
    assert identity.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not identity.alive()
    assert process.wait() == -signal.SIGKILL
    assert not identity.kill()


WITHOUT_MAIN_THREAD = """
import ctypes, threading
threading.Thread(target=threading.Event().wait).start()
ctypes.CDLL(None).pthread_exit(None)
"""


@pytest.mark.skipif(not proc.LINUX, reason="only Linux shows such a process as a zombie")
def test_a_process_whose_main_thread_has_ended_lives_and_is_found_by_its_marker() -> None:
    marker = secrets.token_hex(8)
    with subprocess.Popen([sys.executable, "-c", WITHOUT_MAIN_THREAD], env={MARKER: marker}) as process:
        identity = _of(process)
        assert poll(lambda: _state(process.pid) == "Z", Deadline(30))

        assert identity.alive()
        assert [seen.pid for seen in proc.marked(marker)] == [process.pid]
        assert "threading" in proc.command_line(process.pid)

        assert identity.kill()
        assert process.wait() == -signal.SIGKILL


def _state(pid: int) -> str:
    seen = proc.status(pid)
    return seen.state if seen else ""


def test_a_recycled_pid_is_somebody_else(sleeper: Sleeper) -> None:
    process = sleeper("none")
    now = _of(process)
    for other in (
        dataclasses.replace(now, started=now.started - 1),
        dataclasses.replace(now, boot="another boot"),
        dataclasses.replace(now, namespace="pid:[1]"),
    ):
        assert not other.alive()
        assert not other.kill()
    assert process.poll() is None


def test_nobody_has_a_pid_that_is_free() -> None:
    assert Identity.of(1 << 23) is None


def test_leftovers_of_a_dead_keeper_are_swept(tmp_path: Path, sleeper: Sleeper) -> None:
    marker = secrets.token_hex(8)
    left, other = sleeper(marker), sleeper(secrets.token_hex(8))
    control = tmp_path / "demo.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(control))
    registry = Registry(tmp_path)
    registry.add(_entry(marker, _ended(), _ended(), control))
    swept = sweep_leftovers(registry)
    assert [(each.name, [seen.pid for seen in each.processes]) for each in swept] == [("demo", [left.pid])]
    assert left.wait() == -signal.SIGKILL
    assert other.poll() is None
    assert not control.exists()
    assert registry.entries() == []
    assert sweep_leftovers(registry) == []


def test_a_folder_in_the_place_of_a_control_socket_is_left_alone_and_in_nobodys_way(tmp_path: Path) -> None:
    control = tmp_path / "demo.sock"
    control.mkdir()
    registry = Registry(tmp_path)
    registry.add(_entry(secrets.token_hex(8), _ended(), _ended(), control))

    assert [each.name for each in sweep_leftovers(registry)] == ["demo"]

    assert control.is_dir()
    assert registry.entries() == []


def test_a_live_cluster_is_never_touched(tmp_path: Path, sleeper: Sleeper) -> None:
    marker = secrets.token_hex(8)
    node = sleeper(marker)
    control = tmp_path / "demo.sock"
    control.touch()
    registry = Registry(tmp_path)
    registry.add(_entry(marker, Identity.current(), _ended(), control))
    assert sweep_leftovers(registry) == []
    assert node.poll() is None
    assert control.exists()
    assert [entry.name for entry in registry.entries()] == ["demo"]


@pytest.mark.parametrize("answers", [True, False])
def test_a_cluster_of_another_container_lives_as_long_as_its_socket_answers(
    tmp_path: Path, answers: bool
) -> None:
    foreign = dataclasses.replace(Identity.current(), namespace="pid:[1]")
    control = tmp_path / "demo.sock"
    registry = Registry(tmp_path)
    registry.add(_entry("there", foreign, foreign, control))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(control))
        if answers:
            server.listen()
        assert len(sweep_leftovers(registry)) == (0 if answers else 1)
        assert control.exists() == answers


def test_a_file_that_makes_no_sense_is_passed_over(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.add(_entry("good", Identity.current(), Identity.current(), tmp_path / "a.sock"))
    for name, text in (("a", "{"), ("b", "[]"), ("c", '{"keeper": 1}'), ("d", "")):
        (tmp_path / "clusters" / f"{name}.json").write_text(text)
    assert [entry.marker for entry in registry.entries()] == ["good"]
    assert sweep_leftovers(registry) == []


def test_an_entry_is_private_and_comes_back_as_it_was(tmp_path: Path) -> None:
    entry = _entry("m", Identity.current(), Identity.current(), tmp_path / "a.sock")
    registry = Registry(tmp_path)
    registry.add(entry)
    assert registry.entries() == [entry]
    assert (tmp_path / "clusters" / "m.json").stat().st_mode & 0o777 == 0o600
    registry.remove("m")
    registry.remove("m")
    assert registry.entries() == []


def test_the_runtime_folder_is_private_and_does_not_follow_tmpdir(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert not runtime_dir().is_relative_to(tmp_path)
    folder = runtime_dir(tmp_path)
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    assert runtime_dir(tmp_path).stat().st_mode & 0o777 == 0o700


def test_a_runtime_folder_that_cannot_be_made_is_an_error_that_teaches(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot be made") as told:
        runtime_dir(tmp_path / "missing")

    assert told.value.remedies[0] == f"ls -ld {tmp_path / 'missing'}"


def test_a_private_file_has_private_folders_above_it_whatever_the_umask(tmp_path: Path) -> None:
    usual = os.umask(0)
    try:
        write_private(tmp_path / "a" / "b" / "file", "secret")
    finally:
        os.umask(usual)

    assert [path.stat().st_mode & 0o777 for path in sorted(tmp_path.rglob("*"))] == [0o700, 0o700, 0o600]


def test_a_runtime_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"clusterlib-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StartError, match="it is a link"):
        runtime_dir(tmp_path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_runtime_folder_of_somebody_else_is_refused_and_another_place_named(tmp_path: Path) -> None:
    runtime_dir(tmp_path)
    os.chown(tmp_path / f"clusterlib-{os.getuid()}", 65534, 65534)
    with pytest.raises(StartError, match="it belongs to user 65534") as told:
        runtime_dir(tmp_path)
    assert told.value.remedies[0].startswith("export CLUSTERLIB_RUNTIME_DIR=")


def test_a_socket_path_is_short_and_its_own_whatever_the_identifier() -> None:
    assert socket_path("demo", Path("/run/user/1/c")) == Path("/run/user/1/c/demo.sock")
    long = [socket_path("x" * 200 + str(n), Path("/run/user/1000/clusterlib")) for n in range(10)]
    assert len(set(long)) == 10
    assert all(len(str(path)) < 100 for path in long)
    assert socket_path("../../evil", Path("/run")).parent == Path("/run")


def test_a_paused_process_is_known_as_such(sleeper: Sleeper) -> None:
    process = sleeper("any")
    identity = _of(process)
    assert not identity.stopped

    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)

    assert _of(process).stopped
    assert identity.alive()


def test_a_paused_guard_is_not_waited_for(
    sleeper: Sleeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[object] = []
    monkeypatch.setattr("clusterlib.hosts.registry.poll", lambda check, _: looks.append(check()))
    marker = secrets.token_hex(8)
    guard = sleeper(marker)
    guard.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, guard.pid, os.WSTOPPED | os.WNOWAIT)
    registry = Registry(tmp_path)
    registry.add(_entry(marker, _ended(), _of(guard), tmp_path / "control.sock"))

    swept = sweep_leftovers(registry)

    assert looks == [True], "the first look was not enough"
    assert [process.pid for process in swept[0].processes] == [guard.pid]
    assert guard.wait() == -signal.SIGKILL
