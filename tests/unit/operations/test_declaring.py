"""What is made of declarations: the index, the stub, the schema; and that reading a source says what importing it says."""

from __future__ import annotations

import json
import re
import typing
from pathlib import Path

import pytest

from clusterlib.doors.commands.answering import CONVERSATIONS, PICTURES
from clusterlib.doors.commands.command import JSON, Command
from clusterlib.operations import generating
from clusterlib.operations.catalogue import INDEX, load, shipped
from clusterlib.operations.declaring import Caller
from clusterlib.operations.describe import operations
from clusterlib.operations.listing import ListedOperation
from clusterlib.operations.run import CommandReady


@pytest.mark.parametrize("one", generating.listed(), ids=lambda one: one.full_name)
def test_an_operation_is_read_as_it_is_imported(one: ListedOperation) -> None:
    generating.imported(one)


def test_what_is_made_of_our_operations_is_up_to_date() -> None:
    """If not: python -m clusterlib.operations.generating."""
    assert INDEX.read_text() == generating.index()
    assert generating.STUB.read_text() == generating.stub()


def test_every_operation_has_help_for_all_that_it_takes() -> None:
    for one in shipped():
        assert one.help.endswith("."), one.full_name
        assert all(each.help.endswith(".") for each in one.parameters), one.full_name


def test_every_operation_has_the_schema_of_what_it_takes_and_gives() -> None:
    class Structured(Caller):
        @property
        def structured(self) -> bool:
            return True

    described = {one.name: one for one in operations.called_by(Structured(), None, (), {}).operations}

    assert described.keys() == {one.full_name for one in shipped()}
    assert json.dumps(described["cluster.scale"].to_dict())
    assert described["cluster.scale"].parameters["required"] == ["count"]
    assert all(one.result is not None and one.result for one in described.values())
    assert "$ref" in (described["cluster.status"].result or {})


def test_what_our_operations_give_back_has_a_picture_of_its_own() -> None:
    given = {CommandReady}  # shown before the end
    for one in shipped():
        kind = typing.get_type_hints(load(one).body)["return"]
        given |= {*typing.get_args(kind)} or {kind}

    assert {kind.__name__ for kind in given} == PICTURES.keys() | CONVERSATIONS.keys()


def test_our_operations_are_imported_by_their_names() -> None:
    assert {load(one).full_name for one in shipped()} == {one.full_name for one in shipped()}


REFERENCE = Path(__file__).parents[3] / "docs" / "commands.md"


def test_the_reference_of_commands_names_what_each_takes() -> None:
    headings = re.findall(r"^### (`[a-z]+\.[a-z].*)$", REFERENCE.read_text(), re.MULTILINE)
    for command in map(Command, shipped()):
        (heading,) = [one for one in headings if f"`{command.full_name}" in one]
        options = [one for one in command.options if one != JSON]
        words = {one.name.upper() if one.required else f"[{one.name.upper()}]" for one in options if one.word}
        flags = {one.flag for one in options if not one.word}

        assert set(re.findall(r"--[a-z-]+", heading)) == flags, heading
        assert all(word in heading for word in words), heading
