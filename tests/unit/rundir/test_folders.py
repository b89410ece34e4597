from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clusterlib.errors import UsageError
from clusterlib.hosts.places import write_private
from clusterlib.rundir.folders import (
    KEPT_RUNS,
    all_names,
    cluster_identifier,
    latest_run,
    new_run,
    prune,
    prune_to_size,
    runs_of,
)


def test_a_run_folder_is_private_and_ignored_by_git(tmp_path: Path) -> None:
    run = new_run(tmp_path, "default")

    for folder in (run.path, run.path.parent, tmp_path / ".clusterlib"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (tmp_path / ".clusterlib" / ".gitignore").read_text() == "*\n"


def test_a_folder_that_a_link_of_the_user_leads_to_keeps_its_mode(tmp_path: Path) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    project.mkdir()
    elsewhere.mkdir()
    elsewhere.chmod(0o1777)
    (project / ".clusterlib").symlink_to(elsewhere)
    run = new_run(project, "alpha")
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o1777
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o700


def test_only_the_last_runs_are_kept(tmp_path: Path) -> None:
    made = [new_run(tmp_path, "default").path for _ in range(KEPT_RUNS + 3)]

    kept = {run.path for run in runs_of(tmp_path, "default")}

    assert len(kept) == KEPT_RUNS
    assert kept <= set(made)


def test_a_new_run_is_kept_even_where_the_clock_went_back(tmp_path: Path) -> None:
    for number in range(KEPT_RUNS):
        (tmp_path / ".clusterlib" / "default" / f"99991231-000000.000000-000{number}" / "nodes").mkdir(
            parents=True
        )

    assert new_run(tmp_path, "default").path.is_dir()


def test_of_runs_that_are_too_large_together_the_oldest_go_whatever_their_cluster(tmp_path: Path) -> None:
    runs = [new_run(tmp_path, name).path for name in ("one", "two", "one", "two", "one")]
    for run in runs:
        (run / "nodes" / "node1.log").write_bytes(b"x" * 100_000)

    gone = prune_to_size(tmp_path, {runs[0]}, most=350_000)

    assert gone == [runs[1]], "one that is spared stays, and the latest of each cluster"
    assert prune_to_size(tmp_path, set(), most=0) == [runs[2], runs[0]]
    assert [run.path for run in runs_of(tmp_path, "one")] == [runs[4]]
    assert [run.path for run in runs_of(tmp_path, "two")] == [runs[3]]


def test_the_latest_run_of_a_name_that_was_used_long_ago_is_removed_where_room_is_needed(
    tmp_path: Path,
) -> None:
    long_ago = tmp_path / ".clusterlib" / "once" / "20200101-000000.000000-0001"
    (long_ago / "nodes").mkdir(parents=True)
    (long_ago / "nodes" / "node1.log").write_bytes(b"x" * 100_000)
    today = new_run(tmp_path, "default").path

    assert prune_to_size(tmp_path, set(), most=200_000) == []
    assert prune_to_size(tmp_path, set(), most=0) == [long_ago]
    assert today.exists()


def test_a_folder_that_is_not_a_run_is_never_removed(tmp_path: Path) -> None:
    precious = tmp_path / ".clusterlib" / "default" / "0-notes"
    precious.mkdir(parents=True)
    new_run(tmp_path, "default")

    prune(tmp_path, "default", 0)

    assert precious.exists()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-x", "a b", "x" * 65, "ä/..", "a\0b"])
def test_a_name_that_could_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        new_run(tmp_path, name)


def test_a_project_that_cannot_be_written_is_an_error_that_teaches(tmp_path: Path) -> None:
    (tmp_path / ".clusterlib").write_text("a file where the folder should be")

    with pytest.raises(UsageError) as caught:
        new_run(tmp_path, "default")

    assert caught.value.remedies


def test_the_identifier_depends_on_project_and_name(tmp_path: Path) -> None:
    one = cluster_identifier(tmp_path, "default")

    assert one == cluster_identifier(tmp_path, "default")
    assert one != cluster_identifier(tmp_path, "other")
    assert one != cluster_identifier(tmp_path / "other", "default")


def test_a_private_file_is_written_whole_and_for_us_only(tmp_path: Path) -> None:
    write_private(tmp_path / "deep" / "cookie", "secret", mode=0o400)

    assert (tmp_path / "deep" / "cookie").read_text() == "secret"
    assert stat.S_IMODE((tmp_path / "deep" / "cookie").stat().st_mode) == 0o400
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["cookie"]


def test_threads_that_write_one_private_file_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    contents = [str(number) * 50_000 for number in range(8)]

    with ThreadPoolExecutor(len(contents)) as writers:
        for _ in range(20):
            list(writers.map(lambda content: write_private(tmp_path / "file", content), contents))

    assert (tmp_path / "file").read_text() in contents
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_names_and_the_latest_run_are_found(tmp_path: Path) -> None:
    assert latest_run(tmp_path, "default") is None
    assert all_names(tmp_path) == []

    run = new_run(tmp_path, "default")

    assert latest_run(tmp_path, "default") == run
    assert all_names(tmp_path) == ["default"]


def test_what_a_user_puts_beside_the_runs_is_no_run(tmp_path: Path) -> None:
    run = new_run(tmp_path, "default")
    home = tmp_path / ".clusterlib"
    for name in ("zzz-notes", f"{run.path.name}-copy", "99991231-235959-1"):
        (home / "default" / name / "nodes").mkdir(parents=True)
    (home / "default" / "20990101-000000.000000-abcd").symlink_to(run.path)
    (home / "notes" / "nodes").mkdir(parents=True)

    assert runs_of(tmp_path, "default") == [run]
    assert latest_run(tmp_path, "default") == run
    assert all_names(tmp_path) == ["default"]
    assert prune(tmp_path, "default", 0) == [run.path]


def test_a_project_whose_name_is_not_utf8_can_have_clusters(tmp_path: Path) -> None:
    project = tmp_path / os.fsdecode(b"caf\xe9")

    assert len(cluster_identifier(project, "default")) == 12
    write_private(project / "path", str(project))
    assert (project / "path").read_bytes() == os.fsencode(project)


def test_a_file_that_cannot_be_written_leaves_no_draft(tmp_path: Path) -> None:
    (tmp_path / "state.json" / "in the way").mkdir(parents=True)

    with pytest.raises(OSError):  # noqa: PT011 - which one is the system's choice
        write_private(tmp_path / "state.json", "{}")

    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_the_latest_run_is_the_last_one_made_also_when_the_clock_was_set_back(tmp_path: Path) -> None:
    late = tmp_path / ".clusterlib" / "shop" / "99981231-235959.999998-abcd"
    (late / "nodes").mkdir(parents=True)

    first, second = new_run(tmp_path, "shop"), new_run(tmp_path, "shop")

    assert latest_run(tmp_path, "shop") == second
    assert runs_of(tmp_path, "shop").index(first) == runs_of(tmp_path, "shop").index(second) - 1


def test_a_state_that_is_nested_without_end_is_no_state(tmp_path: Path) -> None:
    run = new_run(tmp_path, "shop")
    run.state.write_text("[" * 100_000)
    assert run.read_state() is None


def test_a_run_that_goes_on_is_not_removed_wherever_its_keeper_is_registered(tmp_path: Path) -> None:
    old = new_run(tmp_path, "default")
    (old.path / "nodes" / "data").write_bytes(bytes(4096))
    new = new_run(tmp_path, "default")
    held = old.hold()

    assert prune_to_size(tmp_path, {new.path}, most=1) == []
    assert prune(tmp_path, "default", keep=1) == []

    os.close(held)
    assert prune_to_size(tmp_path, {new.path}, most=1) == [old.path]
