"""A user's project with tests, and pytest run on it in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest

from clusterlib.evidence.recorder import read_records
from clusterlib.hosts import proc
from clusterlib.waiting import Deadline, poll

__all__ = ["Ended", "Suite", "needs_plugin"]


def is_installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


PROJECT = """
[project]
name = "shop"
version = "1"

[tool.pytest.ini_options]
"""
SLOW_PLUGINS = ("hypothesispytest", "asyncio", "rerunfailures", "timeout")
"""They take as long to import as all the rest of pytest. A test that is about one of them loads it
by `suite.load`."""
NOT_OURS = ("CLUSTERLIB_", "PYTEST_", "CI", "GITHUB_", "XDIST")
PATIENCE = 90


def needs_plugin(package: str) -> None:
    """Skips the test without this plugin of pytest, or fails it if everything is required."""
    if not is_installed(package):
        told = f'{package} is not installed: pip install -e ".[plugins]"'
        if os.environ.get("REQUIRE_SYSTEMS") == "1":
            pytest.fail(told)
        pytest.skip(told)


@dataclass(frozen=True)
class Ended:
    """What pytest said and how it ended."""

    code: int
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def last(self) -> str:
        """`1 passed, 2 skipped`."""
        return self.lines[-1].strip("= ").partition(" in ")[0]

    def matching(self, part: str) -> list[str]:
        return [line for line in self.lines if part in line]

    def one(self, part: str) -> str:
        (line,) = self.matching(part)
        return line


class Suite:
    def __init__(self, pytester: pytest.Pytester) -> None:
        self.path = pytester.path
        self._left_out = set(SLOW_PLUGINS)
        self.file("pyproject.toml", PROJECT)

    def file(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def configure(self, text: str) -> None:
        """More of pyproject.toml, to begin with more of pytest's own settings."""
        self.file("pyproject.toml", PROJECT + text)

    def load(self, plugin: str) -> None:
        self._left_out.remove(plugin)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)}
        left_out = " ".join(f"-p no:{plugin}" for plugin in sorted(self._left_out))
        return {**kept, "NO_COLOR": "1", "COLUMNS": "160", "PYTEST_ADDOPTS": left_out}

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=self.path,
            env={**self.environment, **variables},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *arguments: str, **variables: str) -> Ended:
        """pytest on this project; nothing of it is left when it has ended."""
        ended = self.end(self.start(*arguments, **variables))
        self.assert_nothing_is_left()
        return ended

    def end(self, process: subprocess.Popen[str], said: str | None = None) -> Ended:
        try:
            text, _ = process.communicate(said, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            text, _ = process.communicate()
            raise AssertionError(f"pytest did not end; it said:\n{text}") from None
        return Ended(process.returncode, text.splitlines())

    def python(self, *arguments: str, **variables: str) -> Ended:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.path,
            env={**self.environment, **variables},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
            check=False,
        )
        return Ended(done.returncode, done.stdout.splitlines())

    # -- what it leaves

    @property
    def runs(self) -> list[dict[str, Any]]:
        """The last state of every cluster that was started here."""
        found = (self.path / ".clusterlib").glob("*/*/state.json")
        return [json.loads(path.read_text()) for path in sorted(found)]

    @property
    def reports(self) -> list[Path]:
        home = self.path / ".clusterlib" / "reports"
        return sorted(path for path in home.iterdir() if not path.is_symlink()) if home.exists() else []

    def records(self, kind: str, folder: Path | None = None) -> list[dict[str, Any]]:
        where = folder or self.reports[-1]
        return [record.to_dict() for record in read_records(where) if record.what.kind == kind]

    def assert_nothing_is_left(self, *, but: str = "") -> None:
        markers = [run["marker"] for run in self.runs if run["name"] != but]
        poll(lambda: not any(proc.marked(marker) for marker in markers), Deadline(10))
        left = [seen for marker in markers for seen in proc.marked(marker)]
        assert left == [], "processes of a cluster are left"
