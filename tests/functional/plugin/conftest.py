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
