from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional.plugin.suite import Suite


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Iterator[Suite]:
    made = Suite(pytester)
    yield made
    made.python("-m", "clusterlib.doors", "cluster.down", "--all")
    made.assert_nothing_is_left()
