"""What an extension costs, by the diffs of docs/extending.md.

tests/docs/test_documents.py applies them to a new project and types what the page says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterlib.operations.catalogue import catalogue
from tests.docs.reading import apply, diffs, touched

GUIDE = Path(__file__).parents[2] / "docs" / "extending.md"


@pytest.fixture
def operation() -> str:
    [found] = [diff for diff in diffs(GUIDE) if "operations/freeze.py" in diff]
    return found


def test_an_operation_of_a_project_touches_one_file(operation: str) -> None:
    assert touched(operation) == {"operations/freeze.py": True}


def test_the_operation_of_the_guide_is_in_a_project_as_soon_as_its_diff_is_applied(
    operation: str, tmp_path: Path
) -> None:
    assert "cluster.freeze" not in [one.full_name for one in catalogue(tmp_path).operations]

    apply(operation, tmp_path)

    found = catalogue(tmp_path)
    assert found.troubles == ()
    assert {"cluster.freeze", "cluster.thaw"} <= {one.full_name for one in found.operations}
