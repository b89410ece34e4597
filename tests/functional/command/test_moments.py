"""Driver `command`: processes die during a start, or a resource is short, and nothing is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import clusterlib
from clusterlib import errors
from clusterlib.hosts import proc
from clusterlib.waiting import Deadline, poll
from tests.functional.command.boxes import FORMING, arguments, nothing_is_left
from tests.functional.conftest import Up

UP = "import clusterlib; clusterlib.up('box')"
HANGS = {
    "prepare": {"stop": '"SIGINT"\nprepare = ["sh", "-c", "echo preparing; sleep 599"]'},
    "form": {"more": '\n[form]\ncommand = ["sh", "-c", "echo forming; sleep 598"]\n'},
}


def hanging(project: Path) -> list[int]:
    """The commands that hang, in the folder of the project."""
    found = [pid for pid in proc.processes() if proc.command_line(pid) in {"sleep 599", "sleep 598"}]
    return [pid for pid in found if (folder := folder_of(pid)) and project in folder.parents]


def folder_of(pid: int) -> Path | None:
    """Where a process works; None if it has ended since it was found."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return None


@pytest.mark.parametrize("victim", ["runner", "keeper", "group"])
@pytest.mark.parametrize("moment", HANGS)
def test_who_is_killed_in_the_middle_of_a_start_leaves_nothing(
    write: Callable[..., None], project: Path, moment: str, victim: str
) -> None:
    write(**HANGS[moment])
    runner = subprocess.Popen(
        [sys.executable, "-c", UP], cwd=project, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert poll(lambda: hanging(project), Deadline(15)), "it hangs where it should"
    keepers = [pid for pid in proc.processes() if "clusterlib.keeper.main" in proc.command_line(pid)]
    ours = [pid for pid in keepers if folder_of(pid) == project]

    match victim:
        case "runner":
            runner.kill()
        case "keeper":
            os.kill(max(ours), signal.SIGKILL)
        case _:
            os.killpg(runner.pid, signal.SIGKILL)

    assert runner.wait(15) != 0
    assert poll(lambda: nothing_is_left(project) and not hanging(project), Deadline(10))


def test_two_who_start_it_at_once_have_one_cluster(up: Up, write: Callable[..., None]) -> None:
    write(FORMING)

    with ThreadPoolExecutor(2) as both:
        one, other = both.map(up, ["box", "box"])

    assert [node.pid for node in one] == [node.pid for node in other]
    members = one.run_folder.path / "members"
    assert {name.read_text() for name in members.iterdir()} == {"x\n"}, "it was formed once"


def test_what_prepares_a_node_and_fails_is_told_with_what_it_said(
    up: Up, write: Callable[..., None], project: Path
) -> None:
    write(stop='"SIGINT"\nprepare = ["sh", "-c", "echo no room for {{ node.name }}; exit 4"]')

    with pytest.raises(errors.CommandFailed, match=r"box[123] could not be prepared") as caught:
        up("box")

    assert "exited with code 4" in (caught.value.cause or "")
    assert caught.value.evidence[-1].startswith("no room for box")
    assert nothing_is_left(project)


def test_a_node_that_dies_when_the_cluster_was_formed_is_revived_where_the_profile_says_so(
    up: Up, write: Callable[..., None]
) -> None:
    write(FORMING + '\n[restart]\npolicy = "on-failure"\nfirst = 0.01\n')
    cluster = up("box")
    pid = cluster["box2"].pid
    assert pid is not None

    os.kill(pid, signal.SIGKILL)

    cluster.wait_until(lambda: cluster["box2"].pid not in {None, pid} and cluster.state == "ready", 10)
    assert '"exit": "killed by SIGKILL"' in cluster.run_folder.events.read_text()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A project on a disk of its own, with 40 KB free."""
    project = tmp_path / "tiny"
    project.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=120k", "tmpfs", str(project)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a disk")
    (project / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    yield project
    subprocess.run(["umount", "-l", str(project)], check=True)


def test_a_full_disk_is_told_with_what_the_program_said_last(
    tiny_disk: Path, write: Callable[..., None], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its log is on that disk, too."""
    fill = "dd if=/dev/zero of=../../fill bs=1k count=999; echo no room here; exit 7"
    write(program='"sh"', arguments=f'["-c", "{fill}"]')
    shutil.move(project / "profiles", tiny_disk)
    monkeypatch.chdir(tiny_disk)

    with pytest.raises(errors.NodeExited) as caught:
        clusterlib.up("box")

    assert "no room here" in caught.value.evidence
    assert "No space left on device" in caught.value.evidence[-1]
    assert nothing_is_left(tiny_disk)


def test_a_disk_that_is_full_before_the_start_is_told(
    tiny_disk: Path, write: Callable[..., None], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(arguments=arguments("well"))
    shutil.move(project / "profiles", tiny_disk)
    with pytest.raises(OSError, match="No space left"):
        (tiny_disk / "fill").write_bytes(bytes(200_000))
    monkeypatch.chdir(tiny_disk)

    with pytest.raises(errors.ClusterError) as caught:
        clusterlib.up("box")

    assert "No space left on device" in (caught.value.cause or "")
    assert nothing_is_left(tiny_disk)
