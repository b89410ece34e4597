"""The names for authors of drivers are complete, and each can be imported."""

from __future__ import annotations

import ast
import builtins
import re
from pathlib import Path

import pytest

import clusterlib.drivers

REPOSITORY = Path(__file__).parents[3]
PAGE = REPOSITORY / "docs" / "extending.md"


@pytest.mark.parametrize("name", clusterlib.drivers.__all__)
def test_a_public_name_can_be_imported(name: str) -> None:
    assert getattr(clusterlib.drivers, name) is not None


def test_the_lists_of_public_names_agree() -> None:
    text = Path(clusterlib.drivers.__file__).read_text()
    typed = re.findall(r"^    from clusterlib\S* import (\w+) as \1$", text, re.MULTILINE)

    assert sorted(typed) == sorted(clusterlib.drivers.__all__) == dir(clusterlib.drivers)


def test_the_page_for_authors_mentions_every_public_name() -> None:
    page = PAGE.read_text()

    assert [name for name in clusterlib.drivers.__all__ if not re.search(rf"\b{name}\b", page)] == []


def test_the_pieces_of_drivers_that_the_page_shows_use_public_names_only() -> None:
    _, _, about_drivers = PAGE.read_text().partition("\n## A driver of your own\n")
    pieces = re.findall(r"^```py\n(.*?)^```$", about_drivers, re.MULTILINE | re.DOTALL)
    known = {*clusterlib.drivers.__all__, *dir(builtins), "Counter", "CounterDriver"}
    unknown = set()
    for piece in pieces:
        names = list(ast.walk(ast.parse(piece)))
        made = {one.name for one in names if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
        made |= {one.arg for one in names if isinstance(one, ast.arg)}
        made |= {one.id for one in names if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
        unknown |= {one.id for one in names if isinstance(one, ast.Name)} - made - known

    assert pieces
    assert unknown == set()
