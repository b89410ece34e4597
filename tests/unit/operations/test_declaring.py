"""Index, stub and schema are made of declarations, whether a source is read or imported."""

from __future__ import annotations

import inspect
import json
import pydoc
import typing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from clusterlib.client.cluster import Cluster
from clusterlib.doors.commands.answering import CONVERSATIONS, PICTURES
from clusterlib.doors.program import live
from clusterlib.operations import generating
from clusterlib.operations.catalogue import INDEX, load, shipped
from clusterlib.operations.declaring import Caller
from clusterlib.operations.describe import operations
from clusterlib.operations.dry_run import Foreseen
from clusterlib.operations.listing import ListedOperation
from clusterlib.operations.load import LoadTick
from clusterlib.operations.methods import method
from clusterlib.operations.reference import BEGIN, END, reference
from clusterlib.operations.run import CommandReady


@pytest.mark.parametrize("one", generating.listed(), ids=lambda one: one.full_name)
def test_an_operation_is_read_as_it_is_imported(one: ListedOperation) -> None:
    generating.imported(one)


OUTDATED = "run: python -m clusterlib.operations.generating"


def test_what_is_made_of_our_operations_is_up_to_date() -> None:
    assert INDEX.read_text() == generating.index(), OUTDATED
    assert generating.STUB.read_text() == generating.stub(), OUTDATED
    assert generating.COMMANDS.read_text() == generating.commands(), OUTDATED


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
    given = {CommandReady, LoadTick, Foreseen}  # before the end; instead of it
    for one in shipped():
        kind = typing.get_type_hints(load(one).body)["return"]
        given |= {*typing.get_args(kind)} or {kind}

    assert {kind.__name__ for kind in given} == PICTURES.keys() | CONVERSATIONS.keys() | {
        name.rpartition(".")[2] for name in live.CONVERSATIONS
    }


def test_our_operations_are_imported_by_their_names() -> None:
    assert {load(one).full_name for one in shipped()} == {one.full_name for one in shipped()}


BLOCKS = "".join(f"{BEGIN.format(one.full_name)}\n{END.format(one.full_name)}\n" for one in shipped())


def test_a_new_operation_gets_a_section_after_those_of_its_group() -> None:
    new = replace(next(one for one in shipped() if one.full_name == "cluster.pause"), name="freeze")
    document = f"## Clusters\n\n{BLOCKS}\n## Completion\n"

    made = reference(document, [*shipped(), new])

    assert "### `cluster.freeze`" in made
    assert "cluster.freeze NODE [--name NAME] [--json]" in made
    assert made.endswith("## Completion\n")
    assert reference(made, [*shipped(), new]) == made


def test_the_section_of_an_operation_that_is_gone_is_named() -> None:
    gone = BLOCKS.replace("cluster.kill", "cluster.murder")

    with pytest.raises(ValueError, match=r"no operation cluster\.murder"):
        reference(gone, shipped())


def test_what_is_written_by_hand_around_the_blocks_is_kept() -> None:
    made = reference(f"before\n{BLOCKS}after | it\n", shipped())

    assert made.startswith("before\n")
    assert made.endswith("after | it\n")


def test_an_operation_is_a_method_with_its_signature_and_its_help(tmp_path: Path) -> None:
    kill = method(cast("Cluster", SimpleNamespace(project=tmp_path)), "kill")

    shown = pydoc.plain(pydoc.render_doc(kill))

    assert list(inspect.signature(kill).parameters) == ["node", "dry_run"]
    assert "kill(node: " in shown
    assert "Kill a node with SIGKILL" in shown
    assert "node: Name of the node" in shown
