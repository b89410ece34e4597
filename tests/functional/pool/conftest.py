from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterlib.client.start import is_running
from clusterlib.leases.pool import Pool, Settings
from clusterlib.rundir.folders import all_names
from tests.functional.pool.using import SMALL, MakePool, Records


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def make_pool(project: Path, records: Records, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakePool]:
    """Pools in the project. At the end all are closed, and no cluster that they started is left."""
    monkeypatch.chdir(project)
    for variable in [name for name in os.environ if name.startswith("CLUSTERLIB_")]:
        if variable != "CLUSTERLIB_CONTAINMENT":
            monkeypatch.delenv(variable)
    monkeypatch.setenv("CI", "false")
    pools: list[Pool] = []

    def make(overrides: dict[str, object] | None = None, **options: Any) -> Pool:
        settings = {name: options.pop(name) for name in ("keep", "prefix", "shared_name") if name in options}
        pool = Pool(
            project,
            Settings(overrides=SMALL if overrides is None else overrides, **settings),
            record=records,
            **options,
        )
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        pool.close()
    left = [
        name for name in all_names(project) if name.startswith("pytest") and is_running(name, project=project)
    ]
    assert left == []
