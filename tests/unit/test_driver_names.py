"""Outside `drivers/`, code asks a kind of node for its capabilities. It never compares its name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import clusterlib
from clusterlib.drivers.shipped import SHIPPED

PACKAGE = Path(clusterlib.__file__).parent
NAMES = {*SHIPPED, "fake"}
OTHER_THINGS = {
    ("doors/commands/words.py", "'command' in options"),  # an option of cluster.shell
    ("profiles/vocabulary.py", "layer.tree.get('python')"),  # the table that says where code is
}
"""Words that are the names of something else, too."""


def comparisons(source: str) -> Iterator[str]:
    """The places where something depends on the name of a driver."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and names_in([node.left, *node.comparators]):
            yield ast.unparse(node)
        elif isinstance(node, ast.MatchValue) and names_in([node.value]):
            yield f"case {ast.unparse(node)}"
        elif isinstance(node, ast.Dict) and len(names_in([one for one in node.keys if one])) > 1:
            yield ast.unparse(node)  # a table with an entry for each driver
        elif (
            isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".get") and names_in(node.args[:1])
        ) or (isinstance(node, ast.Subscript) and names_in([node.slice])):
            yield ast.unparse(node)


def names_in(expressions: list[ast.expr]) -> set[str]:
    found = set()
    for one in expressions:
        inner = one.elts if isinstance(one, ast.Tuple | ast.List | ast.Set) else [one]
        found |= {part.value for part in inner if isinstance(part, ast.Constant) and part.value in NAMES}
    return found


def test_no_code_outside_drivers_compares_the_name_of_a_driver() -> None:
    found = {
        (path.relative_to(PACKAGE).as_posix(), text)
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] != "drivers"
        for text in comparisons(path.read_text())
    }

    assert found - OTHER_THINGS == set()
    assert found >= OTHER_THINGS, "an exception that is not needed any more"


@pytest.mark.parametrize(
    "source",
    [
        'if values.driver == "python": pass',
        'if values.driver not in ("command", "beam"): pass',
        'match driver:\n    case "beam": pass',
        'kinds = {"python": 1, "beam": 2}',
        'fixed = plan.server["command"]',
        'fixed = plan.server.get("command", {})',
    ],
)
def test_the_search_finds_such_code(source: str) -> None:
    assert list(comparisons(source)) != []
