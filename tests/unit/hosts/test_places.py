"""Where clusters keep what they need, and what may be found there in its place."""

from __future__ import annotations

import fcntl
import os
import resource
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clusterlib.errors import StartError, UsageError
from clusterlib.hosts import places
from clusterlib.hosts.places import lock_for_us, open_lock, read_private, runtime_dir, socket_path
from clusterlib.hosts.registry import Registry, sweep_leftovers
from clusterlib.network.ports import PortAllocator
from clusterlib.rundir.lock import ClusterLock


def test_another_runtime_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        monkeypatch.setenv("CLUSTERLIB_RUNTIME_DIR", f"{short}/mine")
        assert runtime_dir() == Path(short, "mine")
        assert runtime_dir().stat().st_mode & 0o777 == 0o700
        assert len(str(socket_path("a" * 80))) < 104
    for wrong in ("mine", f"/tmp/{'x' * 60}"):
        monkeypatch.setenv("CLUSTERLIB_RUNTIME_DIR", wrong)
        with pytest.raises(UsageError, match="cannot be the runtime folder"):
            runtime_dir()


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path leaves room for that of a socket."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.parametrize("mode", [0o1777, 0o755, 0o750, 0o2770, 0o500])
def test_a_chosen_folder_that_is_not_private_is_refused_and_left_as_it_is(
    short: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    short.chmod(mode)
    monkeypatch.setenv("CLUSTERLIB_RUNTIME_DIR", str(short))

    with pytest.raises(StartError, match="not 0700") as refused:
        runtime_dir()

    assert stat.S_IMODE(short.stat().st_mode) == mode
    assert not any("chmod" in remedy for remedy in refused.value.remedies)
    follow(refused.value.remedies[0], monkeypatch)
    assert runtime_dir().stat().st_mode & 0o777 == 0o700


def test_a_chosen_folder_that_is_private_is_used_with_the_mode_that_it_has(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short.chmod(0o2700)
    monkeypatch.setenv("CLUSTERLIB_RUNTIME_DIR", str(short))
    assert runtime_dir() == short
    assert stat.S_IMODE(short.stat().st_mode) == 0o2700


def test_a_chosen_folder_that_is_made_is_private_under_any_umask(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLUSTERLIB_RUNTIME_DIR", str(short / "made"))
    usual = os.umask(0o277)
    try:
        assert stat.S_IMODE(runtime_dir().stat().st_mode) == 0o700
    finally:
        os.umask(usual)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_no_remedy_deletes_a_chosen_folder_that_belongs_to_another_user(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(short, 65534, 65534)
    monkeypatch.setenv("CLUSTERLIB_RUNTIME_DIR", str(short))
    with pytest.raises(StartError, match="it belongs to user 65534") as refused:
        runtime_dir()
    assert not any(remedy.startswith("rm ") for remedy in refused.value.remedies)


@pytest.mark.parametrize("home", ["a-home", "h" * 60, "missing/home", ""])
def test_the_place_that_is_named_instead_can_be_used_whatever_the_home(
    short: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    place = short / home
    if home and "/" not in home:
        place.mkdir()
    monkeypatch.setenv("HOME", str(place) if home else "")
    monkeypatch.setenv("CLUSTERLIB_RUNTIME_DIR", "/tmp/" + "x" * 60)
    with pytest.raises(UsageError, match="cannot be the runtime folder") as refused:
        runtime_dir()

    follow(refused.value.remedies[0], monkeypatch)
    named = Path(os.environ["CLUSTERLIB_RUNTIME_DIR"])
    was_there = named.exists()
    try:
        assert runtime_dir() == named
        assert named.is_relative_to(place) == (home == "a-home")
    finally:
        if not was_there:
            named.rmdir()


def follow(remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Does what the remedy says, as a shell would."""
    command = f'{remedy}\nprintf %s "$CLUSTERLIB_RUNTIME_DIR"'
    value = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True).stdout
    monkeypatch.setenv("CLUSTERLIB_RUNTIME_DIR", value)


@pytest.mark.parametrize("task", ["cluster.status", "cluster.doctor", "cluster.up"])
def test_no_task_changes_a_folder_that_others_use(short: Path, task: str) -> None:
    shared = short / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (short / "pyproject.toml").touch()
    ended = subprocess.run(
        [sys.executable, "-m", "clusterlib", task],
        check=False,
        cwd=short,
        env={**os.environ, "CLUSTERLIB_RUNTIME_DIR": str(shared)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777
    assert list(shared.iterdir()) == []
    assert ended.returncode == 1
    assert "its mode is 1777, not 0700" in ended.stdout + ended.stderr


def put_link(place: Path) -> None:
    place.symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("put", "problem"), [(put_link, "it is a link"), (Path.mkdir, "directory"), (os.mkfifo, "no plain file")]
)
def test_what_is_no_lock_file_is_refused_with_a_remedy(
    tmp_path: Path, put: Callable[[Path], None], problem: str
) -> None:
    put(tmp_path / "lock")
    put(tmp_path / "ports-20000-20010.turn")
    calls = (
        ClusterLock(tmp_path / "lock").take,
        lambda: PortAllocator(tmp_path).claim("127.0.0.1", 20000, 20010),
        lambda: open_lock(tmp_path / "lock"),
    )
    for call in calls:
        with pytest.raises(StartError, match=f"cannot be used as a lock: .*{problem}") as told:
            call()
        assert any(remedy.startswith("rm -r ") for remedy in told.value.remedies)
    with pytest.raises(StartError, match="cannot be used as a lock"):
        ClusterLock(tmp_path / "lock").is_free()


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"keeper": ' * 50_000,
        "[]",
        '"text"',
        '{"keeper": {"pid": 1e999}}',
        (
            '{"keeper": {"pid": 1, "started": 1, "boot": "", "namespace": ""}, "guard": {"pid": 1, "started": 1, '
            '"boot": "", "namespace": ""}, "marker": [], "identifier": "", "name": "", "project": "", '
            '"control": {}, "run": ""}'
        ),
    ],
)
def test_a_file_of_the_registry_that_makes_no_sense_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "clusters").mkdir()
    (tmp_path / "clusters" / "odd.json").write_text(text)
    assert Registry(tmp_path).entries() == []
    assert sweep_leftovers(Registry(tmp_path)) == []


def put_endless_link(place: Path) -> None:
    place.symlink_to("/dev/zero")


def put_large_file(place: Path) -> None:
    place.touch()
    os.truncate(place, 2**40)


@pytest.mark.parametrize("put", [put_endless_link, put_large_file, os.mkfifo])
@pytest.mark.parametrize("task", ["cluster.down", "cluster.clean", "cluster.doctor"])
def test_what_never_ends_in_the_registry_is_passed_over(
    short: Path, put: Callable[[Path], None], task: str
) -> None:
    (short / "clusters").mkdir(mode=0o700)
    (short / "pyproject.toml").touch()
    put(short / "clusters" / "odd.json")
    ended = run_with_little_memory(short, task)
    assert "Traceback" not in ended.stderr
    assert ended.returncode == 0
    assert os.path.lexists(short / "clusters" / "odd.json")


def run_with_little_memory(short: Path, task: str) -> subprocess.CompletedProcess[str]:
    little = 512 * 2**20
    return subprocess.run(
        [sys.executable, "-m", "clusterlib", task],
        check=False,
        cwd=short,
        env={**os.environ, "CLUSTERLIB_RUNTIME_DIR": str(short)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (little, little)),
    )


@pytest.mark.parametrize("put", [put_endless_link, put_large_file, os.mkfifo])
def test_the_holders_of_a_lock_are_read_from_a_plain_file_only(
    tmp_path: Path, put: Callable[[Path], None]
) -> None:
    put(tmp_path / "odd.lock")
    asking = (
        "import pathlib, sys; from clusterlib.rundir.lock import ClusterLock; "
        "print(ClusterLock(pathlib.Path(sys.argv[1])).holders())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", asking, str(tmp_path / "odd.lock")],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.stdout == "[]\n"


def test_an_entry_of_the_registry_is_read_only_from_a_plain_file_of_its_size(tmp_path: Path) -> None:
    (tmp_path / "entry").write_bytes(b"x" * 100)
    assert read_private(tmp_path / "entry", 100) == b"x" * 100
    with pytest.raises(ValueError, match="more than 99 bytes"):
        read_private(tmp_path / "entry", 99)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="no plain file"):
        read_private(tmp_path / "pipe", 99)
    (tmp_path / "link").symlink_to("entry")
    with pytest.raises(OSError, match="link"):
        read_private(tmp_path / "link", 100)


@pytest.mark.skipif(sys.platform != "linux", reason="mount namespaces are Linux")
@pytest.mark.parametrize(
    ("folder", "problem"), [("/proc", "there is no /proc here"), ("/dev", "/dev/null cannot be used")]
)
@pytest.mark.parametrize("task", ["cluster.up", "cluster.status", "cluster.down", "cluster.doctor"])
def test_a_machine_without_proc_or_null_device_is_told_in_words(
    tmp_path: Path, folder: str, problem: str, task: str
) -> None:
    (tmp_path / "pyproject.toml").touch()
    emptied = f'mount -t tmpfs none {folder} && exec "$@"'
    apart = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", emptied, "sh"]
    ended = subprocess.run(
        [*apart, sys.executable, "-m", "clusterlib", task],
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "unshare failed" in ended.stderr or "mount:" in ended.stderr:
        pytest.skip("this machine lets no user have a mount namespace")
    assert problem in ended.stderr
    assert "try: " in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_lock_that_another_process_keeps_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "LOCK_SECONDS", 0.05)
    path = tmp_path / "lock"
    held = open_lock(path)
    fcntl.flock(held, fcntl.LOCK_EX)
    ours = open_lock(path)

    with pytest.raises(StartError, match="was locked by another process") as caught:
        lock_for_us(ours, path)

    assert f"fuser -v {path}" in caught.value.remedies[0]
    os.close(held)
    lock_for_us(ours, path)
    os.close(ours)
