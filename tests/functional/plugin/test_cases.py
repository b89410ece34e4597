"""Test cases in unittest's style, under pytest and on their own; tests that are coroutines."""

from __future__ import annotations

from tests.functional.plugin.suite import Suite, needs_plugin

CASES = """
import asyncio, os, unittest
import pytest
import clusterlib

class TestShop(clusterlib.DistributedTestCase):
    cluster_size = 2
    cluster_exact = True

    def setUp(self):
        self.first = self.cluster["node1"]

    def test_it_has_its_cluster(self):
        self.assertEqual([node.name for node in self.cluster_nodes()], ["node1", "node2"])
        self.assertEqual(os.environ["CLUSTERLIB_NAME"], self.cluster.name)
        self.assertEqual(self.wait_until(self.first.members), ["node1", "node2"])
        self.assert_healthy()
        self.assertEqual(self.health().state, "ready")

    def test_it_breaks_it(self):
        self.cluster["node2"].kill()
        with self.assertRaisesRegex(AssertionError, "node2 .dead."):
            self.assert_healthy()

    def test_it_resizes_it(self):
        with self.with_cluster_size(3) as cluster:
            self.assertEqual(len(cluster), 3)
        self.assertEqual(len(self.cluster), 2)

    @unittest.skip("not today")
    def test_skipped(self):
        raise AssertionError

class TestAsync(clusterlib.DistributedAsyncTestCase):
    async def test_it_is_a_coroutine(self):
        members = await asyncio.to_thread(self.cluster["node1"].members)
        self.assertGreaterEqual(len(members), 3)

class TestImpossible(clusterlib.DistributedTestCase):
    cluster_size = 0

    def test_nothing(self):
        pass
"""
MARKED = """
import pytest
import clusterlib

@pytest.mark.cluster_size(2, exact=True)
class TestMarked(clusterlib.DistributedTestCase):
    cluster_size = 5

    def test_the_mark_wins(self):
        self.assertEqual(len(self.cluster), 2)

    @pytest.mark.cluster_size(4)
    def test_the_closest_wins(self):
        self.assertEqual(len(self.cluster), 4)
"""


def test_a_test_case_has_its_cluster_under_pytest(suite: Suite) -> None:
    suite.file("test_cases.py", CASES)
    suite.file("test_marked.py", MARKED)

    ended = suite.run("--distributed")

    assert ended.last == "6 passed, 1 skipped, 1 error", ended.text
    assert "a cluster has at least one node, not 0 [impossible]" in ended.text
    assert len(suite.runs) == 1


def test_a_test_case_has_its_cluster_without_pytest(suite: Suite) -> None:
    suite.file("test_cases.py", CASES)

    ended = suite.python("-m", "unittest", "-v")

    suite.assert_nothing_is_left()
    assert ended.code == 1
    assert ended.last.startswith("FAILED (failures=1, skipped=1)"), ended.text
    assert "a cluster has at least one node, not 0 [impossible]" in ended.text
    assert len(suite.runs) == 1, "the classes share one"


def test_without_pytest_a_cluster_that_does_not_start_is_a_skip_or_a_failure(suite: Suite) -> None:
    suite.file("test_cases.py", CASES.partition("class TestImpossible")[0])
    suite.file("apps.py", "import os\n\ndef is_killed():\n    os.kill(os.getpid(), 9)\n")
    suite.configure('[tool.clusterlib]\npython.app = "apps:is_killed"\ntests.fallbacks = ["skip"]\n')

    skipped = suite.python("-m", "unittest")
    failed = suite.python("-m", "unittest", CLUSTERLIB_TESTS_STRICT="always")

    assert skipped.last == "OK (skipped=5)", skipped.text
    assert failed.last == "FAILED (failures=4, skipped=1)", failed.text
    assert "killed by SIGKILL" in failed.text
    suite.assert_nothing_is_left()


def test_without_pytest_an_application_that_fails_at_its_start_fails_its_tests(suite: Suite) -> None:
    suite.file("test_cases.py", CASES.partition("class TestImpossible")[0])
    suite.configure('[tool.clusterlib]\npython.app = "nowhere:main"\ntests.fallbacks = ["skip"]\n')

    ended = suite.python("-m", "unittest")

    assert ended.last == "FAILED (failures=4, skipped=1)", ended.text
    assert "there is no module 'nowhere'" in ended.text
    suite.assert_nothing_is_left()


def test_coroutines_use_the_fixtures(suite: Suite) -> None:
    needs_plugin("pytest-asyncio")
    suite.file(
        "test_async.py",
        """
import asyncio
import pytest

@pytest.mark.asyncio
async def test_marked(cluster, with_cluster_size):
    assert len(await asyncio.to_thread(cluster["node1"].members)) == 3

@pytest.mark.anyio
async def test_anyio(cluster):
    assert len(await asyncio.to_thread(cluster["node1"].members)) == 3

@pytest.fixture
def anyio_backend():
    return "asyncio"
""",
    )
    suite.load("asyncio")
    suite.configure('markers = ["anyio"]\nasyncio_default_fixture_loop_scope = "function"\n')

    strict = suite.run("--distributed", "-k", "marked")
    auto = suite.run("--distributed", "-o", "asyncio_mode=auto")

    assert strict.last == "1 passed, 1 deselected", strict.text
    assert auto.last == "2 passed", auto.text
