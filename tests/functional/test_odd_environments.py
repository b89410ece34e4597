"""Closed streams, few descriptors, another locale, an open umask: from a shell or a container."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import clusterlib
from clusterlib.operations.down import bring_down
from tests.functional.plugin.suite import NOT_OURS
from tests.odd_names import ODD

Told = subprocess.CompletedProcess[str]
TASK = f'"{sys.executable}" -m clusterlib'
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0"}
"""Python takes the names of files for ASCII."""
TESTS = """
def test_fails(cluster):
    assert False
"""


@pytest.fixture
def shell(project: Path) -> Iterator[Callable[..., Told]]:
    """Runs a line of a shell in the project; at the end no cluster of it is left."""

    used: set[Path] = set()

    def run(line: str, *, folder: Path = project, **more: str) -> Told:
        used.add(folder)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)}
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=folder,
            env={**kept, "NO_COLOR": "1", **more},
            capture_output=True,
            timeout=90,
            check=False,
            text=True,
            errors="replace",
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        return done

    yield run
    for folder in list(used):
        if folder.is_dir():
            run(f"{TASK} cluster.down --all", folder=folder)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_whoever_closes_a_stream_does_without_it_and_has_everything_else(
    closed: str, shell: Callable[..., Told]
) -> None:
    assert shell(f"{TASK} cluster.up --nodes 2 {closed}").returncode == 0
    told = shell(f"{TASK} cluster.shell node1 -c '6 * 7' {closed}")
    assert told.returncode == 0
    assert told.stdout.strip() == ("" if ">&-" in closed.replace("2>&-", "") else "42")
    assert shell(f"{TASK} cluster.run {closed} -- cat").returncode == 0
    assert shell(f"{TASK} cluster.restart {closed}").returncode == 0
    assert shell(f"{TASK} cluster.status --name other {closed}").returncode == 3
    assert shell(f"{TASK} cluster.down {closed}").returncode == 0


def test_a_program_without_streams_can_have_a_cluster(shell: Callable[..., Told], project: Path) -> None:
    (project / "story.py").write_text(
        "import clusterlib\n"
        "with clusterlib.up(nodes=2) as cluster:\n"
        "    open('told', 'w').write(str(cluster['node2'].members()))\n"
    )

    assert shell(f'exec "{sys.executable}" story.py <&- >&- 2>&-').returncode == 0
    assert (project / "told").read_text() == "['node1', 'node2']"


def test_whoever_reads_one_line_of_the_help_sees_no_traceback(shell: Callable[..., Told]) -> None:
    for _ in range(3):  # the reader may be slower than we are
        assert "Traceback" not in shell(f"{TASK} --list | true").stderr


def test_the_same_cluster_is_reached_by_a_link_and_below_a_path_that_no_socket_can_have(
    shell: Callable[..., Told], project: Path
) -> None:
    deep = project.joinpath(*["a" * 100] * 4)
    deep.mkdir(parents=True)
    (project / "pyproject.toml").rename(deep / "pyproject.toml")
    link = project / "link"
    link.symlink_to(deep)

    assert shell(f"{TASK} cluster.up --nodes 2", folder=deep).returncode == 0
    assert "2 nodes" in shell(f'cd "{link}" && {TASK} cluster.status').stdout
    assert "running already" in shell(f"{TASK} cluster.up", CLUSTERLIB_PROJECT=str(link)).stdout
    assert "nothing is left" in shell(f'cd "{link}" && {TASK} cluster.down').stdout


def test_a_name_that_python_takes_for_no_name_is_told_with_what_helps(
    shell: Callable[..., Told], project: Path
) -> None:
    folder = project / ODD
    folder.mkdir()
    (project / "pyproject.toml").rename(folder / "pyproject.toml")
    assert shell(f"{TASK} cluster.up --nodes 1", folder=folder).returncode == 0

    told = shell(f"{TASK} cluster.shell node1 -c 1", folder=folder, **ASCII)

    assert told.returncode == 2
    assert "error: a name has '\\xf6' in it, which is no name here [usage]" in told.stderr
    assert "cause: by its locale and PYTHONUTF8, Python takes the names of files for ascii" in told.stderr
    assert "try: export LC_ALL=C.UTF-8" in told.stderr
    assert "nothing is left" in shell(f"{TASK} cluster.down", folder=folder, **ASCII).stdout


def test_what_is_typed_reaches_the_node_in_any_locale(shell: Callable[..., Told]) -> None:
    assert shell(f"{TASK} cluster.up --nodes 1").returncode == 0

    for locale in ({}, {"LC_ALL": "C"}, ASCII):
        assert shell(f"{TASK} cluster.shell node1 -c 'ord(\"ö\")'", **locale).stdout == "246\n"


@pytest.mark.parametrize("mask", ["000", "077"])
def test_nothing_of_a_cluster_is_open_to_others_whatever_the_umask(
    mask: str, shell: Callable[..., Told], project: Path
) -> None:
    (project / "test_shop.py").write_text(TESTS)

    tests = f'umask {mask}; "{sys.executable}" -m pytest -q -p no:cacheprovider --distributed'
    assert "1 failed" in shell(f"{tests} --cluster-artifacts=out").stdout
    assert "1 failed" in shell(tests).stdout
    assert shell(f"umask {mask}; {TASK} cluster.up --nodes 2").returncode == 0

    folders = [project / ".clusterlib", project / "out"]
    found = [path for folder in folders for path in (folder, *folder.rglob("*")) if not path.is_symlink()]
    assert len(found) > 20
    assert [path for path in found if path.stat().st_mode & 0o077] == []


def test_a_few_open_files_are_enough_and_too_few_are_named(shell: Callable[..., Told]) -> None:
    assert shell(f"ulimit -n 64; {TASK} cluster.up").returncode == 0
    assert shell(f"ulimit -n 64; {TASK} cluster.health").returncode == 0
    assert shell(f"ulimit -n 64; {TASK} cluster.down").returncode == 0

    told = shell(f"ulimit -n 16; {TASK} cluster.up")

    assert told.returncode == 1
    assert "Too many open files" in told.stderr
    assert "ulimit -" in told.stderr


def test_a_keeper_that_cannot_begin_says_why_in_one_error(shell: Callable[..., Told]) -> None:
    told = shell(f"{TASK} cluster.up", CLUSTERLIB_CONTAINMENT="box")

    assert told.returncode == 2
    assert told.stderr.startswith("error: there is no containment 'box' [usage]\n  try: use one of: auto, ")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if os.getuid() != 0 or subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk")
    (folder / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    (folder / "test_shop.py").write_text(TESTS)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_named_and_a_cluster_on_it_is_ended_in_order(
    shell: Callable[..., Told], disk: Path
) -> None:
    full = disk / "full"
    assert shell(f"{TASK} cluster.up --nodes 2", folder=disk).returncode == 0
    fill(full)

    assert shell(f"{TASK} cluster.status", folder=disk).returncode == 0
    assert shell(f"{TASK} cluster.shell node1 -c '6 * 7'", folder=disk).stdout == "42\n"
    restarted = shell(f"{TASK} cluster.restart node1", folder=disk)
    assert restarted.returncode == 1
    assert f"cause: No space left on device: {disk}/.clusterlib/default/" in restarted.stderr
    assert "node.json" in restarted.stderr
    assert "nothing is left" in shell(f"{TASK} cluster.down", folder=disk).stdout

    started = shell(f"{TASK} cluster.up", folder=disk)
    assert started.returncode != 0
    assert "No space left on device" in started.stderr
    assert f"df -h {disk}" in started.stderr
    tests = shell(f'"{sys.executable}" -m pytest -q -p no:cacheprovider --distributed', folder=disk)
    assert "No space left on device" in tests.stdout + tests.stderr


def fill(path: Path) -> None:
    """With as much as there is room for."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def test_all_clusters_are_ended_by_whoever_may_have_no_more_threads(
    up: Callable[..., clusterlib.Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    for name in ("one", "two"):
        up(name=name, nodes=1, simulate=True)
    monkeypatch.setattr(threading.Thread, "start", refuse)

    assert bring_down(all=True).stopped == ("one", "two")
