from __future__ import annotations

import sys
from pathlib import Path

import pytest

from clusterlib.errors import ClusterNotRunning, UsageError
from clusterlib.operations.clean import clean
from clusterlib.operations.down import bring_down
from clusterlib.operations.profiles import check, list_all, show
from clusterlib.operations.reach import reached, running_names
from clusterlib.operations.run import run
from clusterlib.operations.status import look
from clusterlib.operations.up import Wish, wish


def test_without_a_wish_the_default_profile_is_meant(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wish(None, project=project) == Wish("dev", None, None)
    assert wish("ci-small", nodes=4, project=project) == Wish("ci-small", 4, None)

    monkeypatch.setenv("CLUSTERLIB_PROFILE", "ci-large")
    assert wish(None, project=project).profile == "ci-large"


def test_the_project_may_name_its_default_profile(project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.clusterlib]\nprofile = "ci-small"\n')

    assert wish(None, project=project).profile == "ci-small"


def test_what_is_not_running_cannot_be_reached(project: Path) -> None:
    with pytest.raises(ClusterNotRunning), reached(project=project):
        pytest.fail("it was reached")
    with pytest.raises(ClusterNotRunning):
        look(project=project)
    assert running_names(project) == []


def test_ending_what_does_not_run_is_a_success(project: Path) -> None:
    assert bring_down(project=project).stopped == ()
    assert bring_down(every=True, project=project).asked == ()


def test_a_profile_without_tests_needs_a_command(project: Path) -> None:
    (project / "profiles").mkdir()
    (project / "profiles" / "bare.toml").write_text("[nodes]\ncount = 1\n")

    with pytest.raises(UsageError, match="names no tests"):
        run(profile="bare", project=project)


def test_tests_that_are_not_there_are_told_before_anything_starts(project: Path) -> None:
    with pytest.raises(UsageError, match="tests/cluster"):
        run(project=project)

    assert not (project / ".clusterlib").exists()


def test_clean_removes_only_what_is_ours(project: Path) -> None:
    home = project / ".clusterlib"
    for name in ("default", "second"):
        (home / name / "20260131-110000-abcdef" / "nodes").mkdir(parents=True)
    (home / "second" / "notes").mkdir()

    assert len(clean(project=project).folders) == 1
    assert not (home / "default").exists()
    assert len(clean(every=True, project=project).folders) == 1
    assert (home / "second" / "notes").exists()


def test_profiles_are_listed_with_the_default_marked(project: Path) -> None:
    profiles = {one.name: one for one in list_all(project=project).profiles}

    assert profiles["dev"].default
    assert not profiles["ci-small"].default


def test_a_profile_is_shown_as_written_or_as_it_holds(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERLIB_NODES_COUNT", "4")

    written = {one.field: one for one in show("dev", project=project).values}
    holding = {one.field: one for one in show("dev", resolved=True, project=project).values}

    assert written["nodes.count"].value == 3
    assert "adapt.enabled" not in written
    assert holding["nodes.count"].value == 4
    assert holding["nodes.count"].source == "environment"
    assert holding["nodes.memory"].text == '"32MiB"'
    assert holding["adapt.enabled"].source == "default"


def test_all_profiles_are_checked_unless_one_is_named(project: Path) -> None:
    (project / "profiles").mkdir()
    (project / "profiles" / "typo.toml").write_text("[nodes]\ncuont = 1\n")

    everything = check(project=project)
    one = check("dev", project=project)

    assert not everything.ok
    assert {checked.name for checked in everything.profiles if checked.mistakes} == {"typo"}
    assert one.ok
    assert len(one.profiles) == 1


def test_the_tasks_import_nothing_heavy() -> None:
    """What `invoke` imports before it knows the task is paid by every command."""
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", "import sys, clusterlib.doors.tasks; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )

    heavy = {
        "rich",
        "pydantic",
        "pydantic_core",
        "jinja2",
        "psutil",
        "subprocess",
        "clusterlib.lifecycle.start",
    }
    assert heavy & set(done.stdout.split()) <= {"subprocess"}  # invoke itself imports that one
