"""The operations that remedies name exist, and accept the arguments that the remedies give them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import clusterlib
from clusterlib.doors.commands.command import Command
from clusterlib.doors.program.wording import ProgramWording, words_of
from clusterlib.operations.catalogue import load, shipped
from clusterlib.remedies import NAMELESS, OF_A_PROFILE, SHOWS_A_PROFILE, do

PACKAGE = Path(clusterlib.__file__).parent
COMMANDS = {one.full_name: Command(one) for one in shipped()}
MODULE = "clusterlib.remedies"
FUNCTION = "do"
VARIABLE = {"doors/commands/carrying.py", "operations/methods.py"}
"""These advise the command that was typed, or operations that they have found in the catalogue."""
KEPT_BY = {"of_cluster", "of_profile"}
"""The methods of a remedy that return one."""
IMPORT = f"from {MODULE} import {FUNCTION}"
TEXT_IN_DOCS = "profiles/reference.py"
"""Writes docs/profiles.md."""
Source = tuple[str, ast.Module]


@cache
def sources() -> tuple[Source, ...]:
    files = sorted(PACKAGE.rglob("*.py"))
    return tuple((path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text())) for path in files)


def advised(tree: ast.Module) -> Iterator[ast.Call]:
    """The calls of `do`, by whatever name the module has imported it."""
    names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == MODULE
        for alias in node.names
        if alias.name == FUNCTION
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield node


def operations_of(given: ast.expr, tree: ast.Module) -> list[str]:
    """The operations that an expression may name. Empty if that depends on more than constants."""
    if isinstance(given, ast.Constant):
        return [str(given.value)]
    if isinstance(given, ast.IfExp):
        return operations_of(given.body, tree) + operations_of(given.orelse, tree)
    if isinstance(given, ast.Subscript):
        table = assigned(given.value, tree)
        return (
            [one for value in table.values for one in operations_of(value, tree)]
            if isinstance(table, ast.Dict)
            else []
        )
    found = assigned(given, tree)
    return operations_of(found, tree) if found is not None else []


def assigned(name: ast.expr, tree: ast.Module) -> ast.expr | None:
    """The value of the only assignment to this name."""
    values = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(name, ast.Name) and target.id == name.id
    ]
    return values[0] if len(values) == 1 else None


def mistakes(call: ast.Call, operation: str) -> Iterator[str]:
    if operation not in COMMANDS:
        yield f"there is no operation {operation}"
        return
    command = COMMANDS[operation]
    words = [option for option in command.options if option.word]
    given = [word for word in call.args[1:] if not isinstance(word, ast.Starred)]
    if len(given) > len(words):
        yield f"{operation} takes {len(words)} words"
    for option, word in zip(words, given, strict=False):
        yield from misfits(command, option.name, word)
    options = {option.name: option for option in command.options}
    for one in call.keywords:
        if one.arg == command.operation.words:
            if not isinstance(one.value, ast.List):
                yield f"what stands after -- of {operation} must be a list"
        elif one.arg not in options:
            yield f"{operation} has no option {one.arg}"
        else:
            yield from misfits(command, one.arg, one.value)


def misfits(command: Command, name: str, given: ast.expr) -> Iterator[str]:
    """What is wrong with a value that is written out."""
    option = next(one for one in command.options if one.name == name)
    if not isinstance(given, ast.Constant):
        return
    if isinstance(given.value, bool):
        flag = f"--{name.replace('_', '-')}"
        if given.value and (option.takes_value or flag not in option.flags):
            yield f"{command.full_name} has no flag {flag}"
        return
    if not option.takes_value:
        yield f"{option.flag} of {command.full_name} is a flag"
    declared = {one.name: one for one in load(command.operation).parameters}
    if name in declared:
        refused: list[Any] = []
        declared[name].read(str(given.value), name, refused)
        yield from (f"{command.full_name} refuses {given.value!r}: {one.problem}" for one in refused)


def found_mistakes(where: str, tree: ast.Module) -> list[str]:
    found = []
    for call in advised(tree):
        operations = operations_of(call.args[0], tree)
        if not operations and where not in VARIABLE:
            found.append(f"{where}:{call.lineno}: which operation is it? Write its name out")
        for operation in operations:
            found += [f"{where}:{call.lineno}: {one}" for one in mistakes(call, operation)]
    return found


def test_every_remedy_names_an_operation_with_parameters_that_it_has() -> None:
    assert sum(1 for _, tree in sources() for _ in advised(tree)) > 100, "the search has found them"
    assert [one for where, tree in sources() for one in found_mistakes(where, tree)] == []


@pytest.mark.parametrize(
    ("source", "mistake"),
    [
        ('do("cluster.reboot")', "there is no operation cluster.reboot"),
        ('do("cluster.restart", "node1", "node2")', "cluster.restart takes 1 words"),
        ('do("profile.show", "")', "profile.show refuses ''"),
        ('do("cluster.restart", slowly=True)', "cluster.restart has no option slowly"),
        ('do("cluster.up", nodes=True)', "cluster.up has no flag --nodes"),
        ('do("cluster.up", nodes=0)', "cluster.up refuses 0"),
        ('do("cluster.restart", fresh="yes")', "--fresh of cluster.restart is a flag"),
        ('do("cluster.run", command="pytest")', "what stands after -- of cluster.run must be a list"),
        ("do(anything)", "which operation is it?"),
    ],
)
def test_the_search_finds_wrong_remedies(source: str, mistake: str) -> None:
    found = found_mistakes("x.py", ast.parse(f"{IMPORT}\n{source}"))

    assert len(found) == 1
    assert mistake in found[0]


def test_no_remedy_loses_its_operations_in_another_text() -> None:
    """An f-string or a method of texts makes a plain text of a remedy."""
    assert [one for where, tree in sources() for one in lost_in(where, tree)] == []
    assert lost_in("x.py", ast.parse(f"{IMPORT}\nf'{{do(\"cluster.up\")}}'"))
    assert lost_in("x.py", ast.parse(f"{IMPORT}\ndo('cluster.up').strip()"))


def lost_in(where: str, tree: ast.Module) -> list[str]:
    remedies = set(advised(tree))
    return [
        f"{where}:{node.lineno}"
        for node in ast.walk(tree)
        if (isinstance(node, ast.FormattedValue) and node.value in remedies)
        or (isinstance(node, ast.Attribute) and node.value in remedies and node.attr not in KEPT_BY)
    ]


def test_only_doors_know_how_an_operation_is_called() -> None:
    """Others name it as data, except for the text of a remedy in JSON and reports."""
    written = [
        f"{where}:{node.lineno}"
        for where, tree in sources()
        if not where.startswith("doors/") and where not in {"remedies.py", TEXT_IN_DOCS}
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.search(r"(?<!\.)\b(?:invoke|clusterlib) (?:--|(?:cluster|profile|test)\b)", node.value)
    ]

    assert written == []


# -- the rules by which a remedy is worded hold for every declaration


def test_the_operations_without_the_name_of_a_cluster_are_known() -> None:
    without = {
        name
        for name, one in COMMANDS.items()
        if one.group == "cluster" and not any(option.name == "name" for option in one.options)
    }

    assert without == NAMELESS


def test_the_operations_of_a_profile_take_one() -> None:
    takes = {name: {option.name for option in one.options} for name, one in COMMANDS.items()}

    assert all("profile" in takes[name] for name in OF_A_PROFILE)
    words = {name: [option.name for option in COMMANDS[name].options if option.word] for name in COMMANDS}
    assert all(words[name] == ["name"] for name in SHOWS_A_PROFILE)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_options_are_worded_as_they_are_declared(command: Command) -> None:
    values: Mapping[str, object] = {
        option.name: "x" if option.takes_value else not option.negates for option in command.options
    }

    worded = str(do(command.full_name, **values)).split()

    assert [word for word in worded if word.startswith("--")] == [option.flag for option in command.options]


def test_the_program_words_every_operation_as_it_is_called() -> None:
    worded = {name: ProgramWording().name(name) for name in COMMANDS}

    assert worded == {name: " ".join(("clusterlib", *words_of(one))) for name, one in COMMANDS.items()}
