"""Real server programs, started by the shipped profiles.

Tests of a program that is not installed are skipped, except in CI."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from _pytest.mark import ParameterSet

import clusterlib
from clusterlib.hosts import proc
from clusterlib.hosts.programs import find_program
from clusterlib.waiting import Deadline, poll

System = Callable[..., clusterlib.Cluster]
SLOW = frozenset({"rabbitmq"})


def slow_ones_nightly(profiles: Iterable[str]) -> list[str | ParameterSet]:
    """For `parametrize`, where one test of a slow system is run each time anyway."""
    return [pytest.param(name, marks=pytest.mark.lab) if name in SLOW else name for name in profiles]


@pytest.fixture
def needs() -> Callable[..., ModuleType]:
    """The client of a system. Without its servers, the test is skipped, or fails if they are
    required."""

    def need(client: str, *programs: str, search: tuple[str, ...] = ()) -> ModuleType:
        missing = [name for name in programs if find_program(name, search) is None]
        try:
            module = importlib.import_module(client)
        except ImportError:
            missing.append(f"Python package {client}")
        if not missing:
            return module
        told = f"not installed: {', '.join(missing)}"
        if os.environ.get("REQUIRE_SYSTEMS") == "1":
            pytest.fail(told)
        pytest.skip(told)

    return need


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    return tmp_path


@pytest.fixture
def system(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    """Brings up a shipped profile; at the end it is down, and no process of it is left."""
    monkeypatch.chdir(project)
    for variable in ("CLUSTERLIB_NAME", "CLUSTERLIB_PROJECT", "CLUSTERLIB_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    started: list[tuple[clusterlib.Cluster, str]] = []

    def start(profile: str, **options: object) -> clusterlib.Cluster:
        cluster = clusterlib.up(profile, **options)  # type: ignore[arg-type]
        started.append((cluster, cluster.status().marker))
        return cluster

    yield start
    for cluster, marker in started:
        cluster.down()
        assert poll(lambda m=marker: not proc.marked(m), Deadline(5)), "processes are left"  # type: ignore[misc]
