"""The program in a folder without a tasks.py, and its completion in a real shell."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
SCRIPT = Path(sys.executable).with_name("clusterlib")
WITH_BASH = r"""
eval "$(clusterlib completion bash)"
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_clusterlib clusterlib
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def run(project: Path) -> Run:
    (project / "shop.py").write_text("def total(*counts):\n    return sum(counts)\n")

    def call(
        *words: str, code: int = 0, path: str = f"{SCRIPT.parent}{os.pathsep}{os.environ['PATH']}"
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "clusterlib", *words],
            cwd=project,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return call


def test_a_cluster_is_started_used_broken_and_ended_without_a_tasks_file(run: Run) -> None:
    assert "cluster default is ready: 2 nodes" in run("up", "--profile", "ci-small").stdout
    assert run("shell", "node1", "-c", '__import__("shop").total(1, 2)').stdout == "3\n"
    assert "node2" in run("kill", "node2").stdout
    assert [node["state"] for node in json.loads(run("status", "--json").stdout)["clusters"][0]["nodes"]] == [
        "ready",
        "dead",
    ]
    assert "until clusterlib down" in run("status").stdout
    refused = run("kill", "node2", code=1).stderr
    assert "try: clusterlib start node2" in refused
    assert "invoke" not in refused
    assert "clusterlib cluster." not in run("health", code=1).stdout
    run("down")
    assert "try: clusterlib up" in run("status", code=3).stderr


def test_a_command_runs_with_a_cluster_and_its_exit_code_is_handed_on(run: Run) -> None:
    program = "import clusterlib, sys; print(len(clusterlib.attach()), sys.argv[1:]); sys.exit(7)"

    done = run("run", "--profile", "ci-small", "--", sys.executable, "-c", program, "--json", code=7)

    assert "2 ['--json']" in done.stdout


def test_where_its_script_is_not_on_the_path_remedies_and_help_call_the_module(run: Run) -> None:
    assert "try: python -m clusterlib up\n" in run("status", code=3, path="/nowhere").stderr
    assert "try: python -m clusterlib up\n" in run("upp", code=2, path="/nowhere").stderr
    assert "usage: python -m clusterlib up " in run("up", "--help", path="/nowhere").stdout


def test_the_script_is_installed_beside_python() -> None:
    done = subprocess.run([SCRIPT, "--version"], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("clusterlib ")


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish here")
def test_fish_completes_words(project: Path) -> None:
    path = f"{SCRIPT.parent}{os.pathsep}{os.environ['PATH']}"
    asks = "clusterlib completion fish | source; complete -C 'clusterlib up --profile ci-s'"

    done = subprocess.run(
        ["fish", "-c", asks],
        cwd=project,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )

    assert (done.stdout.strip(), done.stderr) == ("ci-small", "")


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["clusterlib", "sta"], "stacks\nstart\nstatus\n"),
        (["clusterlib", "up", "--profile", "ci-s"], "ci-small\n"),
        (["clusterlib", "up", "--profile", "=", "ci-s"], "ci-small\n"),
    ],
)
def test_bash_completes_words(project: Path, words: list[str], found: str) -> None:
    path = f"{SCRIPT.parent}{os.pathsep}{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "-c", WITH_BASH, "bash", *words],
        cwd=project,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == found
