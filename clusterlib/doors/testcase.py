"""Base classes in the style of unittest. Their tests have a cluster, under pytest and under `python
-m unittest`.

Under pytest the plugin provides it as for functions. Without pytest, the process keeps clusters for
its tests, from class to class, and ends them when it exits. If it is killed, the kernel ends them.
"""

from __future__ import annotations

import atexit
import contextlib
import sys
import unittest
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from clusterlib.client.start import project_folder
from clusterlib.errors import ClusterError
from clusterlib.leases.lease import Unserved
from clusterlib.leases.need import IN_A_CLASS, Need, need_of
from clusterlib.testing.process import ProcessRun
from clusterlib.testing.registered import CASES
from clusterlib.testing.serving import ClusterSource, given_server
from clusterlib.testing.unserved import is_skipped_by_unittest, reason_of

if TYPE_CHECKING:
    from clusterlib.client.cluster import Cluster, Node
    from clusterlib.operations.health import Health

__all__ = ["DistributedAsyncTestCase", "DistributedTestCase", "NeedsCluster"]


class NeedsCluster(unittest.TestCase):
    """What both base classes have.

    Each test has its turn on a cluster; with pytest, marks on class or method win."""

    cluster_size: ClassVar[int | None] = None
    """The minimum number of nodes. None: as many as the profile has."""
    cluster_exact: ClassVar[bool] = False
    """That many nodes and no more."""
    cluster_profile: ClassVar[str | None] = None
    """None: the profile of the run."""
    cluster_exclusive: ClassVar[bool] = False
    """No other test uses the cluster during a test."""
    cluster_dirty: ClassVar[bool | None] = None
    """True: a test always damages the cluster.

    False: it repairs what it breaks. None: the keeper records damage."""

    @classmethod
    def declared_need(cls) -> dict[str, Any]:
        return {
            "profile": cls.cluster_profile,
            "size": cls.cluster_size,
            "exact": cls.cluster_exact,
            "exclusive": cls.cluster_exclusive,
            "dirty": cls.cluster_dirty,
        }

    # -- what a test uses

    @property
    def cluster(self) -> Cluster:
        """The cluster of this test. There is none before `setUp`."""
        return _server().lease().cluster

    def cluster_nodes(self) -> list[Node]:
        return self.cluster.nodes

    def with_cluster_size(self, size: int) -> AbstractContextManager[Cluster]:
        """The cluster with exactly that many nodes, for a block."""
        return _server().resized(size)

    def wait_until(self, condition: Callable[[], Any], timeout: float = 10.0, what: str | None = None) -> Any:
        """Waits until the condition is true, and returns its value. Raises NotInTime otherwise."""
        return self.cluster.wait_until(condition, timeout, what)

    def health(self) -> Health:
        """Every node asked every question."""
        from clusterlib.operations.health import examine_health

        return examine_health(self.cluster.name, project=self.cluster.project)

    def assert_healthy(self) -> None:
        """Fails with the problems of each node."""
        found = self.health()
        if found.healthy:
            return
        wrong = [
            f"{row.node} ({row.state}): {check.name}: {check.evidence}"
            for row in found.nodes
            for check in row.checks
            if check.outcome == "failed"
        ]
        self.fail("\n  ".join([f"cluster {found.cluster} is {found.state}, and not healthy:", *wrong]))

    # -- how it comes by its cluster

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        if given_server() is not None or self._is_skipped():
            return super().run(result)
        with contextlib.ExitStack() as turn:
            try:
                turn.enter_context(_own().turn(self.id(), self._need))
            except Unserved as unserved:
                self._refuse(unserved)
            return super().run(result)

    def _need(self) -> Need:
        return need_of(**self.declared_need(), remedies=IN_A_CLASS)

    def _is_skipped(self) -> bool:
        return is_skipped_by_unittest(type(self), getattr(self, self._testMethodName, None))

    def _refuse(self, unserved: Unserved) -> None:
        """Reports the reason in unittest's own way: the set-up raises why there is no cluster."""
        text = reason_of(unserved, brief=not unserved.first)

        def refuse() -> None:
            raise unittest.SkipTest(text) if unserved.may_skip else self.failureException(text)

        self.setUp = refuse  # type: ignore[method-assign]


CASES.append(NeedsCluster)


class DistributedTestCase(NeedsCluster):
    """A test case whose tests have a cluster: `self.cluster`."""


class DistributedAsyncTestCase(NeedsCluster, unittest.IsolatedAsyncioTestCase):
    """The same for tests that are coroutines.

    Handles block: `await asyncio.to_thread(node.call, "pkg.mod:function")`."""


# -- without a plugin

_process: ProcessRun | None = None


def _server() -> ClusterSource:
    return given_server() or _own()


def _own() -> ProcessRun:
    global _process  # noqa: PLW0603 - one for all classes: that is what makes them share
    if _process is None:
        _process = ProcessRun(project_folder(None), _give_up)
        atexit.register(_close, _process)
    return _process


def _give_up(unserved: Unserved) -> NoReturn:
    text = str(unserved.error)
    raise (unittest.SkipTest(text) if unserved.may_skip else AssertionError(text)) from unserved


def _close(process: ProcessRun) -> None:
    try:
        process.close()
    except ClusterError as error:
        sys.stderr.write(f"{error}\n")
