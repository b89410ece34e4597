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
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Literal

from clusterlib.operations.catalogue import INDEX
from clusterlib.operations.declaring import Operation
from clusterlib.operations.dry_run import Foreseen
from clusterlib.operations.listing import ListedOperation, ListedParameter, listed_in, listing_of
from clusterlib.operations.reference import reference
from clusterlib.operations.remembering import listed_to
from clusterlib.operations.scopes import Scope

__all__ = ["COMMANDS", "STUB", "commands", "index", "stub", "write"]

HERE = Path(__file__).parent
STUB = HERE.parent / "client" / "operated.pyi"
COMMANDS = HERE.parents[1] / "docs" / "commands.md"
WIDTH = 110
HEAD = '''\
"""Made by clusterlib.operations.generating of the operations of clusterlib: the methods that a Cluster has by them."""

'''


def listed() -> list[ListedOperation]:
    """From the syntax trees of our operations, which must say what the operations say once they are
    imported."""
    found: list[ListedOperation] = []
    for file in sorted(HERE.rglob("*.py")):
        module = ".".join([str(__package__), *file.relative_to(HERE).with_suffix("").parts])
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
    groups, homes, words = dict[str, list[str]](), dict[str, set[str]](), set[str]()
    for one in listed():
        if one.scope is Scope.PROJECT or one.full_name.removeprefix("cluster.") in attributes():
            continue
        operation = imported(one)
        lines = list(_method(one, operation))
        groups.setdefault(one.group, []).extend(lines)
        result = str(operation.body.__annotations__["return"])
        homes.setdefault(_home(operation, result), set()).add(result)
        if operation.has_dry_run:
            homes.setdefault(Foreseen.__module__, set()).add(Foreseen.__name__)
        words |= {word for word in ("Any", "Literal", "overload") if any(word in line for line in lines)}
    typing_line = f"from typing import {', '.join(sorted(words | {'Any'}))}\n\n"
    of_clusters = (
        "class Operated:\n    def operations_of_its_servers(self) -> list[Remedy]: ...\n"
        "    def __getattr__(self, name: str) -> Any: ...\n"
    )
    others = {group: _group_class(group) for group in groups if group != "cluster"}
    return "".join(
        [
            HEAD,
            typing_line,
            "".join(_import(home, sorted(names)) for home, names in sorted(homes.items())),
            "from clusterlib.remedies import Remedy\n\n",
            *(f"class {name}:\n{''.join(groups[group])}\n" for group, name in others.items()),
            of_clusters,
            *(f"    {group.removeprefix('cluster.')}: {name}\n" for group, name in others.items()),
            *groups["cluster"],
        ]
    )


def _group_class(group: str) -> str:
    return f"{group.removeprefix('cluster.').title().replace('_', '')}Operations"


def _method(one: ListedOperation, operation: Operation[object]) -> Iterator[str]:
    hints = typing.get_type_hints(operation.body)
    words = [_typed(each, hints) for each in one.parameters if each.word]
    named = [_typed(each, hints) for each in one.parameters if not each.word]
    rest = f"*{one.words}: {_written(hints[one.words])}" if one.words else "*"
    given = ["self", *words, *([rest, *named] if named or one.words else [])]
    result = operation.body.__annotations__["return"]
    if operation.has_dry_run:
        dry = [*(given if "*" in map(_star, given) else [*given, "*"]), "dry_run: Literal[True]"]
        yield "    @overload\n"
        yield from _definition(one, dry, "Foreseen")
        yield "    @overload\n"
    yield from _definition(one, given, result)


def _star(given: str) -> str:
    return given[:1]


def _definition(one: ListedOperation, given: Sequence[str], result: str) -> Iterator[str]:
    line = f"    def {one.name}({', '.join(given)}) -> {result}:\n"
    if len(line) > WIDTH:
        line = (
            f"    def {one.name}(\n"
            + "".join(f"        {each},\n" for each in given)
            + f"    ) -> {result}:\n"
        )
    yield line
    yield f'        """{one.summary}"""\n'


def _typed(each: ListedParameter, hints: Mapping[str, object]) -> str:
    kind = _written(hints[each.name])
    return f"{each.name}: {kind}" if each.required else f"{each.name}: {kind} = ..."


def _written(hint: object) -> str:
    """A type as it is written, without what else its annotation says."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(_written, inner))
    if origin is Literal:
        return f"Literal[{', '.join(map(json.dumps, inner))}]"
    if hint is type(None):
        return "None"
    if origin is tuple:
        return f"tuple[{_written(inner[0])}, ...]"
    assert isinstance(hint, type), f"{hint} in a signature"
    return hint.__name__


def _home(operation: Operation[object], result: str) -> str:
    return str(getattr(import_module(operation.body.__module__), result).__module__)


def _import(module: str, names: Sequence[str]) -> str:
    line = f"from {module} import {', '.join(names)}\n"
    if len(line) <= WIDTH:
        return line
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in names) + ")\n"


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
