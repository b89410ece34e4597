from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlib.operations.down import bring_down


@pytest.fixture(autouse=True)
def ended(project: Path) -> Iterator[None]:
    """A cluster that a client has started is ended, also if the test fails."""
    yield
    bring_down(all=True, project=project)
