"""The tests a profile serves. `invoke cluster.run` starts a cluster and tells them, by the environment, which one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import clusterlib


@pytest.fixture(scope="session")
def cluster() -> Iterator[clusterlib.Cluster]:
    with clusterlib.attach() as cluster:
        yield cluster
