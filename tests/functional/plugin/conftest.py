from __future__ import annotations

from collections.abc import Iterator

import pytest

from clusterlib.operations.down import bring_down
from tests.functional.plugin.suite import Suite


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Iterator[Suite]:
    made = Suite(pytester)
    yield made
    bring_down(all=True, project=made.path)
    made.assert_nothing_is_left()


TALKS = """
import pytest

def test_before(cluster):
    cluster["node1"].run(print, "of another test")

def test_fails(cluster):
    cluster["node1"].run(print, "the last words")
    cluster["node3"].kill()
    assert 1 == 2

def test_fails_silently(cluster):
    assert 3 == 4

def test_is_skipped(cluster):
    pytest.skip("not today")
"""


@pytest.fixture
def talks(suite: Suite) -> None:
    """The project has tests that make nodes print something, and fail."""
    suite.file("tests/test_talks.py", TALKS)
