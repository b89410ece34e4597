"""Where clusters keep what they need, and what may be found there in its place."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterlib.errors import StartError, UsageError
from clusterlib.hosts.places import open_lock, runtime_dir, socket_path
from clusterlib.hosts.ports import PortAllocator
from clusterlib.hosts.registry import Registry, sweep_leftovers
from clusterlib.lifecycle.lock import ClusterLock


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
        [*apart, sys.executable, "-m", "clusterlib.doors", task],
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
