"""The files for CI, ours and those in docs/ci.md: they run and keep only what exists."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from clusterlib.doors.nox import session_folder

REPOSITORY = Path(__file__).parents[2]
WORKFLOW = REPOSITORY / ".github" / "workflows" / "distributed.yml"
NIGHTLY = REPOSITORY / ".github" / "workflows" / "nightly.yml"
GUIDE = REPOSITORY / "docs" / "ci.md"
WRITTEN = ("junit.xml", "cluster.xml", "report.html")
ACTION = re.compile(r"[\w-]+/[\w-]+@v\d+")


@dataclass(frozen=True)
class Job:
    """What a file for CI makes a machine do, for one profile."""

    where: str
    profile: str | None
    commands: tuple[str, ...]
    kept: tuple[str, ...]
    """Paths and patterns of artifacts."""


def snippet(language: str, first_line: str) -> str:
    """A block of the guide."""
    found = re.search(rf"```{language}\n({re.escape(first_line)}\n.*?)```", GUIDE.read_text(), re.DOTALL)
    assert found, f"{GUIDE.name} shows no {first_line}"
    return found[1]


def document(text: str) -> Any:
    return yaml.safe_load(text)


def github(where: str, text: str) -> list[Job]:
    jobs = []
    for name, job in document(text)["jobs"].items():
        profiles = job.get("strategy", {}).get("matrix", {}).get("profile", [None])
        for profile in profiles:
            filled = document(json.dumps(job).replace("${{ matrix.profile }}", str(profile)))
            steps = filled["steps"]
            assert filled.get("env", {}).get("CLUSTERLIB_PROFILE") == profile
            kept = [line for step in steps for line in step.get("with", {}).get("path", "").split()]
            commands = tuple(step["run"] for step in steps if "run" in step)
            jobs.append(Job(f"{where}: {name}", profile, commands, tuple(kept)))
    return jobs


def gitlab(text: str) -> list[Job]:
    job = document(text)["distributed"]
    [matrix] = job["parallel"]["matrix"]
    artifacts = job["artifacts"]
    assert artifacts["when"] == "always"
    kept = (*artifacts["paths"], *artifacts["reports"]["junit"])
    return [Job("GitLab", profile, tuple(job["script"]), kept) for profile in matrix["CLUSTERLIB_PROFILE"]]


def jenkins(text: str) -> list[Job]:
    profile = re.search(r"CLUSTERLIB_PROFILE = '([^']+)'", text)
    assert profile
    commands = re.findall(r"sh '([^']+)'", text)
    junit = re.search(r"junit testResults: '([^']+)'", text)
    archived = re.search(r"archiveArtifacts artifacts: '([^']+)'", text)
    folder, page = re.search(r"reportDir: '([^']+)'", text), re.search(r"reportFiles: '([^']+)'", text)
    assert junit
    assert archived
    assert folder
    assert page
    kept = (*re.split(r",\s*", junit[1]), archived[1], f"{folder[1]}/{page[1]}")
    return [Job("Jenkins", profile[1], tuple(commands), kept)]


OURS = github(WORKFLOW.name, WORKFLOW.read_text())
THEIRS = [
    *github("GitHub in the guide", snippet("yaml", "# .github/workflows/distributed.yml")),
    *gitlab(snippet("yaml", "# .gitlab-ci.yml")),
    *jenkins(snippet("groovy", "// Jenkinsfile")),
]


def sessions(folder: Path, *chosen: str) -> set[str]:
    """Names that `nox -s` takes there: of what runs without a choice, or of these."""
    done = subprocess.run(
        [sys.executable, "-m", "nox", "--list", "--json", *(("-s", *chosen) if chosen else ())],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if not key.startswith("CLUSTERLIB_")},
        text=True,
        capture_output=True,
        check=True,
    )
    return {name for one in json.loads(done.stdout) for name in (one["name"], one["session"])}


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """The project that the guide describes: its files, and the folder with its tests."""
    for name, text in re.findall(r"```\w+\n# file: (\S+)\n(.*?)```", GUIDE.read_text(), re.DOTALL):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "tests").mkdir()
    return tmp_path


def check(job: Job, known: set[str]) -> None:
    """Everything a job runs is an installation, or Nox with sessions that there are."""
    for command in job.commands:
        if command == "sudo .ci/systems":
            continue  # installs the servers that our own profiles bring up
        program, *words = shlex.split(command)
        program = Path(program).name
        if program == "nox":
            chosen = [after for option, after in pairwise(words) if option == "-s"]
            assert set(chosen) <= known, f"{job.where}: {command}"
            if job.profile:
                assert chosen == ["distributed"]
                assert f"distributed(profile='{job.profile}')" in known, f"{job.where}: {job.profile}"
        else:
            assert program in {"python", "python3"}, f"{job.where}: {command}"
            assert words[:3] == ["-m", "pip", "install"] or words[:2] == ["-m", "venv"], (
                f"{job.where}: {command}"
            )
            if "pip" in words:
                assert set(words[3:]) in ({"-e", ".[nox]"}, {"-e", ".[test]"})
    assert any("nox" in command.split("/")[-1] for command in job.commands)


def test_our_workflow_runs_sessions_that_there_are() -> None:
    known = sessions(REPOSITORY)

    assert {job.profile for job in OURS} == {"ci-small", "dev", "ci-large", None}
    for job in OURS:
        check(job, known)


def test_what_we_run_each_night_is_a_session_that_there_is() -> None:
    commands = [
        step["run"]
        for job in document(NIGHTLY.read_text())["jobs"].values()
        for step in job["steps"]
        if "run" in step
    ]
    chosen = re.findall(r"nox -s (\S+)", "\n".join(commands))

    assert chosen
    assert sessions(REPOSITORY, *chosen) == set(chosen)


def test_the_guide_runs_sessions_that_its_project_has(described: Path) -> None:
    known = sessions(described)

    assert {job.profile for job in THEIRS} == {"pull-request", "nightly"}
    for job in THEIRS:
        check(job, known)


@pytest.mark.parametrize("job", [*OURS, *THEIRS], ids=lambda job: f"{job.where} {job.profile}")
def test_what_is_kept_is_what_the_session_writes(job: Job) -> None:
    folder = f"artifacts/{session_folder(job.profile)}" if job.profile else "artifacts"
    written = [f"{folder}/{name}" for name in WRITTEN]

    for pattern in job.kept:
        assert any(
            fnmatch.fnmatch(path, pattern.replace("**", "*"))
            or (pattern.endswith("/") and fnmatch.fnmatch(path, f"{pattern}*"))
            for path in written
        ), f"{job.where} keeps {pattern}, which nobody writes"
    for name in ("junit.xml", "cluster.xml") if job.profile else ():
        assert any(pattern.endswith(f"/{name}") for pattern in job.kept), f"{job.where} forgets {name}"


@pytest.mark.parametrize(
    "text",
    [WORKFLOW.read_text(), NIGHTLY.read_text(), snippet("yaml", "# .github/workflows/distributed.yml")],
    ids=["ours", "each night", "guide"],
)
def test_a_workflow_may_read_and_no_more_and_always_ends(text: str) -> None:
    workflow = document(text)

    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["cancel-in-progress"] is True
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 30
        used = [step["uses"] for step in job["steps"] if "uses" in step]
        assert used
        assert [action for action in used if not ACTION.fullmatch(action)] == []
        uploads = [step for step in job["steps"] if "upload-artifact" in step.get("uses", "")]
        assert all(step["if"] in {"always()", "failure()"} for step in uploads)
