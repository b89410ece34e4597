"""A project that uses clusterlib, and its tasks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterlib.hosts import proc
from clusterlib.hosts.registry import Registry
from clusterlib.operations.down import bring_down
from tests.functional.tasks.calling import PATIENCE, Invoke, environment, words


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Path]:
    """A project that uses clusterlib. At its end nothing of its clusters lives."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    (tmp_path / "tasks.py").write_text("from clusterlib.invoke import namespace\n")
    (tmp_path / "shop.py").write_text("def total(n):\n    print('asked for', n)\n    return n * 2\n")
    yield tmp_path
    bring_down(all=True, project=tmp_path)
    ours = [entry for entry in Registry().entries() if entry.project == str(tmp_path)]
    assert not ours
    assert not [
        seen
        for pid in proc.processes()
        if (seen := proc.status(pid)) and seen.alive and str(tmp_path) in proc.command_line(pid)
    ]


@pytest.fixture
def invoke(shop: Path) -> Invoke:
    def run(*arguments: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words(*arguments),
            cwd=shop,
            env=environment(**more),
            input=stdin,
            text=True,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )

    return run


@pytest.fixture
def answer(invoke: Invoke) -> Callable[..., Any]:
    """Runs a task with --json. Its stdout must be one document, and its stderr empty."""

    def ask(*arguments: str, code: int = 0, **more: Any) -> Any:
        at = arguments.index("--") if "--" in arguments else len(arguments)
        done = invoke(*arguments[:at], "--json", *arguments[at:], **more)
        assert done.returncode == code, done.stdout + done.stderr
        assert done.stderr == ""
        return json.loads(done.stdout)

    return ask
