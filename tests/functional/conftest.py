from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import clusterlib
from clusterlib.hosts import proc
from clusterlib.messages.plan import Plan
from clusterlib.waiting import Deadline, poll
from tests.roles import start_plan

Up = Callable[..., clusterlib.Cluster]
Start = Callable[[Plan], clusterlib.Cluster]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's project of its own, with nothing in it but a marker that makes it one."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    return tmp_path


@pytest.fixture
def operations(project: Path) -> Path:
    """The folder for the operations of the project."""
    folder = project / "operations"
    folder.mkdir()
    return folder


@pytest.fixture
def up(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Up]:
    """`clusterlib.up` in that project. At the end, its clusters are down, and nothing is left."""
    monkeypatch.chdir(project)
    for variable in ("CLUSTERLIB_NAME", "CLUSTERLIB_PROJECT", "CLUSTERLIB_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    started: list[clusterlib.Cluster] = []
    markers: set[str] = set()

    def start(*arguments: object, **options: object) -> clusterlib.Cluster:
        cluster = clusterlib.up(*arguments, **options)  # type: ignore[arg-type]
        started.append(cluster)
        markers.add(cluster.status().marker)
        return cluster

    yield start
    for cluster in started:
        try:
            cluster.down()
        except clusterlib.errors.ClusterError:
            cluster.close()  # the test ended it in its own way; what counts is looked for below
    for marker in markers:
        poll(lambda m=marker: not proc.marked(m), Deadline(10))  # type: ignore[misc]
        assert proc.marked(marker) == [], f"processes of cluster {marker} are left"


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts clusters of plans; at the end nothing of them is left."""
    markers: list[str] = []
    clusters: list[clusterlib.Cluster] = []

    def started(plan: Plan) -> clusterlib.Cluster:
        cluster = start_plan(plan)
        clusters.append(cluster)
        markers.append(cluster.status().marker)
        return cluster

    yield started
    for cluster in clusters:
        cluster.down()
    for marker in markers:
        assert poll(lambda m=marker: not proc.marked(m), Deadline(10))  # type: ignore[misc]


@pytest.fixture
def gone() -> Callable[[int], bool]:
    """Waits until the process of that pid is gone."""

    def wait(pid: int, seconds: float = 10) -> bool:
        def ended() -> bool:
            seen = proc.status(pid)
            return seen is None or not seen.alive

        return poll(ended, Deadline(seconds))

    return wait
