"""Rules of the source code that linters do not know."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

import clusterlib

PACKAGE = Path(clusterlib.__file__).parent


@cache
def modules() -> dict[str, ast.Module]:
    """The syntax tree of each file of the package, by its place."""
    files = sorted(PACKAGE.rglob("*.py"))
    return {str(file.relative_to(PACKAGE)): ast.parse(file.read_text()) for file in files}


def test_the_name_of_a_public_class_is_unique() -> None:
    """A name says what a class is, also where the import is not in sight."""
    places: dict[str, list[str]] = defaultdict(list)
    for file, tree in modules().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(file)

    assert {name: files for name, files in places.items() if len(files) > 1} == {}
