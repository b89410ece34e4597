"""Rules of the source code that linters do not know."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import clusterlib

PACKAGE = Path(clusterlib.__file__).parent


@cache
def modules() -> dict[str, ast.Module]:
    """The syntax tree of each file of the package, by its place."""
    files = sorted(PACKAGE.rglob("*.py"))
    return {str(file.relative_to(PACKAGE)): ast.parse(file.read_text()) for file in files}


def test_the_name_of_a_class_is_unique() -> None:
    """A name says what a class is, also where the import is not in sight."""
    places: dict[str, list[str]] = defaultdict(list)
    for file, tree in modules().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(file)

    assert {name: files for name, files in places.items() if len(files) > 1} == {}


AS_JSON = {"to_dict", "to_json", "from_dict"}
"""Names of methods that turn a value into JSON data, or make it of such data."""
UNTYPED = {
    "an event as it is in a file or on the control socket": {"messages/event.py: Event.of"},
    "the arguments of a request, before they are read": {"messages/requests.py: request_of"},
    "the values of the parameters of an operation, each with a type of its own": {
        "operations/permitting.py: Permissions.check_values"
    },
    "a JSON schema": {
        "messages/schema.py: schema_of",
        "operations/describe.py: parameter_schema",
        "operations/describe.py: result_schema",
        "values/fields.py: described_of",
        "values/fields.py: json_schema_of",
    },
    "plain data for a function of the nursery's fork": {"hosts/fake.py: FakeProcess.argument"},
    "tables of a profile by name, each with a type of its own": {"profiles/model.py: Profile.tables"},
    "a section of a TOML document, before it is read": {"values/fields.py: section"},
    "fields by name, as keyword arguments": {
        "frozen.py: Shape.__init__",
        "frozen.py: Shape.completed",
        "messages/status.py: NodePlace.place",
    },
    "the names and values that a template gets": {
        "drivers/api.py: NodeSpec.for_templates",
        "rendering/__init__.py: complete",
        "rendering/__init__.py: render",
        "rendering/__init__.py: render_page",
        "rendering/__init__.py: render_text",
        "rendering/checking.py: Trial.is_plain",
        "rendering/checking.py: Trial.tried",
        "rendering/checking.py: faults_of",
    },
    "the keyword arguments of a function of the user": {
        "drivers/calls.py: NodeCalls.call",
        "drivers/calls.py: NodeCalls.run",
        "runtime/client.py: NodeClient.call",
        "runtime/client.py: NodeClient.run",
    },
}
"""Where a mapping of anything crosses a room because nothing more is known of it, by the reason."""


UNTYPED_FIELDS = {
    "an event as it is in a file, perhaps of another version": {
        "messages/event.py: Event.data",
        "messages/happening.py: Unknown.facts",
    },
    "a JSON schema": {
        "operations/listing.py: ListedParameter.schema",
        "operations/profiles.py: ProfileSchema.schema",
        "values/fields.py: Kind.json",
    },
    "plain data for a function of the nursery's fork": {"hosts/api.py: Entry.argument"},
    "tables of a profile by name, each with a type of its own": {"profiles/model.py: Profile.sections"},
    "the names and values that a template gets": {"drivers/api.py: NodeTexts.values"},
}
"""The same for fields of values."""


def test_no_mapping_of_anything_crosses_a_room() -> None:
    """A function or method that another room imports takes and returns typed values."""
    found = {f"{file}: {name}" for file, name, function in shared() if any(map(is_untyped, types(function)))}

    assert found == {name for names in UNTYPED.values() for name in names}


def test_no_field_of_a_value_that_crosses_a_room_is_a_mapping_of_anything() -> None:
    """As above, for the fields of classes that another room imports."""
    found = {
        f"{file}: {name}.{field}"
        for file, name, field, annotation in shared_fields()
        if is_untyped(annotation)
    }

    assert found == {name for names in UNTYPED_FIELDS.values() for name in names}


def room(file: str) -> str:
    return file.partition("/")[0].removesuffix(".py")


@cache
def importers() -> dict[tuple[str, str], set[str]]:
    """By module and name, the rooms that import it."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for file, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    found[node.module, alias.name].add(room(file))
                    found[f"{node.module}.{alias.name}", "*"].add(room(file))
    return found


def shared_fields() -> Iterator[tuple[str, str, str, str]]:
    """Each public field of a class that another room imports, with its annotation."""
    for file, tree in modules().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and is_shared(file, node.name):
                for field in node.body:
                    if isinstance(field, ast.AnnAssign) and not ast.unparse(field.target).startswith("_"):
                        yield file, node.name, ast.unparse(field.target), ast.unparse(field.annotation)


def is_shared(file: str, name: str) -> bool:
    module = f"clusterlib.{file.removesuffix('.py').replace('/', '.')}".removesuffix(".__init__")
    return not importers()[module, name] | importers()[module, "*"] <= {room(file)}


def shared() -> Iterator[tuple[str, str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Each public function, and method of a class, that another room imports."""
    for file, tree in modules().items():
        for node in tree.body:
            name = getattr(node, "name", "")
            if is_shared(file, name):
                for function in node.body if isinstance(node, ast.ClassDef) else [node]:
                    if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and is_public(function):
                        whole = f"{name}.{function.name}" if function is not node else name
                        yield file, whole, function


def is_public(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return (not function.name.startswith("_") or function.name.startswith("__")) and (
        function.name not in AS_JSON
    )


def types(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    annotations = [one.annotation for one in every if one is not None]
    return (ast.unparse(one) for one in [*annotations, function.returns] if one is not None)


def is_untyped(annotation: str) -> bool:
    return re.search(r"(dict|Mapping)\[str, (Any|object)\]", annotation) is not None


UPWARD = {
    "a driver is given the values of a profile, whose tables it declares: see docs/architecture.md": {
        ("drivers", "profiles"),
    },
    "an error of one kind of node is declared in the folder of its driver, and imported from `errors`": {
        ("errors", "drivers"),
    },
}
"""Rooms that name a type of a room above them, by the reason."""
IN_A_CIRCLE = {
    "a cluster has nodes and code, and each of them belongs to its cluster": {
        "client.code.looking -> client.cluster",
        "client.handles -> client.cluster",
        "client.node -> client.cluster",
    },
    "a driver has links to its nodes, and each of them belongs to its driver": {
        "drivers.beam.link -> drivers.beam.driver",
        "drivers.command.link -> drivers.command.driver",
    },
    "a node runs code that asks for its node": {"runtime.current -> runtime.node"},
}
"""Imports for type checkers only, of a module of the same room that imports the importer, by the
reason."""


def test_types_are_imported_only_from_rooms_below() -> None:
    """The import contracts do not see imports for type checkers."""
    ranks = ranks_of_rooms()
    found = {
        (room_of(module), room_of(target))
        for module, targets in imports()[1].items()
        for target in targets
        if room_of(module) in ranks and ranks[room_of(target)] < ranks[room_of(module)]
    }

    assert found == {pair for pairs in UPWARD.values() for pair in pairs}


def test_modules_in_a_circle_by_a_type_are_few_and_have_a_reason() -> None:
    """Inside a room. A circle across rooms would need an import from a room above."""
    plain, typed = (
        {one: {t for t in of[one] if room_of(t) == room_of(one)} for one in of} for of in imports()
    )
    found = {
        f"{module} -> {target}".replace("clusterlib.", "")
        for module, targets in typed.items()
        for target in targets
        if module in reachable(target, plain, typed)
    }

    assert found == {name for names in IN_A_CIRCLE.values() for name in names}


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def ranks_of_rooms() -> dict[str, int]:
    """The place of each room in the contract of layers; 0 is the highest."""
    document = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())
    layers = document["tool"]["importlinter"]["contracts"][0]["layers"]
    return {
        name: place for place, layer in enumerate(layers) for name in re.split(r"\s*[|:]\s*", layer.strip())
    }


@cache
def modules_by_name() -> dict[str, ast.Module]:
    return {
        f"clusterlib.{file.removesuffix('.py').replace('/', '.')}".removesuffix(".__init__"): tree
        for file, tree in modules().items()
    }


@cache
def imports() -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """What each module imports when it runs, and what only for type checkers."""
    plain: dict[str, set[str]] = defaultdict(set)
    typed: dict[str, set[str]] = defaultdict(set)
    for module, tree in modules_by_name().items():
        for target, only_typed in imported(tree, only_typed=False):
            if target in modules_by_name() and target != module:
                (typed if only_typed else plain)[module].add(target)
    return plain, typed


def imported(node: ast.AST, *, only_typed: bool) -> Iterator[tuple[str, bool]]:
    if isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            yield whole if whole in modules_by_name() else node.module, only_typed
    elif isinstance(node, ast.Import):
        yield from ((alias.name, only_typed) for alias in node.names)
    elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        for statement in node.body:
            yield from imported(statement, only_typed=True)
    else:
        for child in ast.iter_child_nodes(node):
            yield from imported(child, only_typed=only_typed)


def reachable(module: str, *graphs: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [module]
    while waiting:
        for target in {one for graph in graphs for one in graph.get(waiting[-1], ())} - found:
            found.add(target)
            waiting.insert(0, target)
        waiting.pop()
    return found
