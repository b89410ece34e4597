"""Generates files from our operations: `python -m clusterlib.operations.generating` writes them,
and a test reports outdated ones.

- `index.json`: the operations, so that a shell need not import them to list them.
- `client/operated.pyi`: the methods that a `Cluster` has by operations, for type checkers and
  editors.
- `docs/commands.md` of a checkout: the blocks that say how each command is called.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

from clusterlib.operations.catalogue import INDEX
from clusterlib.operations.declaring import Operation, Scope
from clusterlib.operations.listing import ListedOperation, listed_in, listing_of
from clusterlib.operations.reference import reference
from clusterlib.operations.remembering import listed_to

__all__ = ["COMMANDS", "STUB", "commands", "index", "stub", "write"]

HERE = Path(__file__).parent
STUB = HERE.parent / "client" / "operated.pyi"
COMMANDS = HERE.parents[1] / "docs" / "commands.md"
HEAD = '''\
"""Made by clusterlib.operations.generating of the operations of clusterlib: the methods that a Cluster has by them."""

from typing import Any

'''


def listed() -> list[ListedOperation]:
    """From the syntax trees of our operations, which must say what the operations say once they are
    imported."""
    found: list[ListedOperation] = []
    for file in sorted(HERE.glob("*.py")):
        module = f"{__package__}.{file.stem}"
        some, troubles = listed_in(file.read_text("utf-8"), module, str(file))
        assert not troubles, troubles
        found += some
    return sorted(found, key=lambda one: (one.group != "cluster", one.group, one.name))


def imported(one: ListedOperation) -> Operation[object]:
    found = getattr(import_module(one.module), one.function)
    assert isinstance(found, Operation)
    assert listing_of(found, one.module, one.line) == one, f"{one.full_name} is read otherwise than imported"
    return found


def attributes() -> list[str]:
    """What a Cluster has without operations."""
    from clusterlib.client.cluster import Cluster

    made = inspect.getsource(Cluster.__init__)
    own = {word.split(".")[1] for word in made.split() if word.startswith("self.") and "(" not in word}
    return sorted({name for name in {*dir(Cluster), *own} if not name.startswith("_")})


def index() -> str:
    """The text of `index.json`."""
    # A line may move without changing anything that a shell shows.
    operations = [{**listed_to(one), "line": 0} for one in listed()]
    return json.dumps({"attributes": attributes(), "operations": operations}, indent=1) + "\n"


def stub() -> str:
    """The text of `operated.pyi`."""
    methods, modules = list[str](), set[str]()
    for one in listed():
        if one.scope is Scope.PROJECT or one.name in attributes():
            continue
        methods += _method(one, imported(one))
        modules.add(_home(imported(one)))
    imports = "\n".join(sorted(modules))
    return (
        f"{HEAD}{imports}\n\nclass Operated:\n    def __getattr__(self, name: str) -> Any: ...\n"
        + "".join(methods)
    )


def _method(one: ListedOperation, operation: Operation[object]) -> Iterator[str]:
    words = [_typed(each.name, operation, each.required) for each in one.parameters if each.word]
    named = [_typed(each.name, operation, each.required) for each in one.parameters if not each.word]
    given = ", ".join(["self", *words, *(["*", *named] if named else [])])
    result = operation.body.__annotations__["return"]
    yield f"    def {one.name}({given}) -> {result}:\n"
    yield f'        """{one.summary}"""\n'


def _typed(name: str, operation: Operation[object], required: bool) -> str:
    kind = str(operation.body.__annotations__[name])
    plain = {"NodeName": "str", "Count": "int"}
    for alias, meant in plain.items():
        kind = kind.replace(alias, meant)
    return f"{name}: {kind}" if required else f"{name}: {kind} = ..."


def _home(operation: Operation[object]) -> str:
    result = operation.body.__annotations__["return"]
    home = getattr(import_module(operation.body.__module__), str(result)).__module__
    return f"from {home} import {result}"


def commands() -> str:
    """The text of `docs/commands.md`."""
    return reference(COMMANDS.read_text("utf-8"), listed())


def write() -> Sequence[Path]:
    texts = {INDEX: index(), STUB: stub()}
    if COMMANDS.exists():
        texts[COMMANDS] = commands()
    for file, text in texts.items():
        file.write_text(text, "utf-8")
    return list(texts)


if __name__ == "__main__":
    write()
