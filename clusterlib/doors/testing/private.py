"""Clusters for one test alone."""

from __future__ import annotations

import contextlib

import pytest

from clusterlib.doors.testing.session import run_of
from clusterlib.lifecycle.cluster import Cluster

__all__ = ["Factory"]


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
