"""Clusters for one test alone, and a cluster that has another size for a while."""

from __future__ import annotations

import contextlib

import pytest

from clusterlib.doors import serving
from clusterlib.doors.testing.session import run_of
from clusterlib.lifecycle.cluster import Cluster

__all__ = ["Factory", "resized"]


class Factory:
    """What the fixture `cluster_factory` is: call it for a cluster."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item
        self._opened = contextlib.ExitStack()

    def __call__(
        self, size: int | None = None, *, profile: str | None = None, simulate: bool | None = None
    ) -> Cluster:
        return self._opened.enter_context(run_of(self._item).private(profile, size, simulate=simulate))

    def close(self) -> None:
        """The last one first; what cannot be ended is told after all the others were."""
        self._opened.close()


def resized(item: pytest.Item, size: int) -> contextlib.AbstractContextManager[Cluster]:
    """The cluster of this test with exactly that many nodes, for a block."""
    run = run_of(item)
    return serving.resized(run.take_late(item), size, run.private)
