"""Operations of a project with mistakes: the error has the place, and no other is affected."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterlib.errors import OperationBroken
from clusterlib.operations.catalogue import catalogue
from tests.functional.operations.own import FREEZE, Up, program


def test_a_broken_file_is_named_with_its_line_and_spoils_no_other(
    project: Path, operations: Path, up: Up
) -> None:
    (operations / "freeze.py").write_text(FREEZE)
    (operations / "broken.py").write_text("from clusterlib.operations import operation\n\ndef (:\n")
    (operations / "ours.py").write_text(FREEZE.replace("def freeze", "def kill"))
    (operations / "other.py").write_text("def (:\n")  # it has nothing to do with clusterlib
    cluster = up("ci-small")

    said = program(project, "operations", code=1)
    assert f"{operations / 'broken.py'}:3: invalid syntax" in said.stderr
    assert f"{operations / 'ours.py'}:7: clusterlib has an operation of that name already" in said.stderr
    assert "other.py" not in said.stderr
    assert f"{operations / 'broken.py'}:3" in program(project, "--help").stdout.replace("\n  ", "")
    assert cluster.freeze() == ["node1", "node2"]
    cluster.heal()
    assert cluster.kill("node1").node.state == "dead"


def test_a_file_that_cannot_be_imported_says_where(project: Path, operations: Path, up: Up) -> None:
    (operations / "freeze.py").write_text("import nowhere_at_all\n" + FREEZE)
    cluster = up("ci-small")

    with pytest.raises(OperationBroken, match="nowhere_at_all") as caught:
        cluster.freeze()

    assert caught.value.evidence == (f"{operations / 'freeze.py'}:1: import nowhere_at_all",)
    assert "[operation-broken]" in program(project, "freeze", code=2).stderr


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (
            FREEZE.replace('"change"', '"whatever"'),
            "its effect must be one of read, change, destroy, execute",
        ),
        (FREEZE.replace("(cluster: Cluster)", "(cluster: Cluster, size)"), "size has no annotation"),
        (FREEZE.replace("(cluster: Cluster)", "(cluster: Cluster, size: dict)"), "dict has no kind"),
        (FREEZE.replace("(cluster: Cluster)", "(cluster: Cluster, name: str)"), "the option --name"),
        (FREEZE.replace("(cluster: Cluster)", "(cluster: Cluster, *, json: bool = False)"), "--json"),
        (FREEZE.replace("(cluster: Cluster)", "(cluster: Cluster, *, hard: bool)"), "needs a default"),
        (FREEZE.replace("(cluster: Cluster)", "(cluster: Cluster, n: int = 2.5)"), "the default of n"),
        (FREEZE.replace("(cluster: Cluster)", "(cluster: Cluster, n: int = 2 * 3)"), "written out"),
        (FREEZE.replace("(cluster: Cluster)", "(cluster: Cluster, /)"), "cannot have a `/`"),
        (FREEZE.replace('"change"', '"change", group=GROUP'), "its group must be a text, written out"),
        (FREEZE.replace('"change"', '"change", group=None'), "its group must be a text, written out"),
        (FREEZE.replace('(effect="change")', ""), 'write @operation(effect="read")'),
        (FREEZE.replace("def freeze", "async def freeze"), "not `async def`"),
        (FREEZE.replace('"change"', '"change", name="help"'), "is a word of the program"),
        (FREEZE.replace("def freeze", "def status"), "clusterlib has an operation of that name already"),
        (FREEZE.replace("def freeze", "def nodes"), "a Cluster has 'nodes' already"),
        (FREEZE.replace("def freeze", "def Freeze"), "is no name of an operation"),
        (FREEZE.replace('"change"', '"change", group="a.b.c"'), "is no group"),
        (
            FREEZE.replace('"change"', '"change", group="kill"'),
            "clusterlib has an operation of that name already",
        ),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(
    source: str, problem: str, project: Path, operations: Path
) -> None:
    (operations / "freeze.py").write_text(source)

    (trouble,) = catalogue(project).troubles

    assert problem in str(trouble)
    assert str(trouble).startswith(f"{operations / 'freeze.py'}:7: ")


def test_two_files_cannot_have_the_same_operation(project: Path, operations: Path) -> None:
    (operations / "a.py").write_text(FREEZE)
    (operations / "b.py").write_text(FREEZE)

    (trouble,) = catalogue(project).troubles

    assert trouble.file == str(operations / "b.py")
    assert f"{operations / 'a.py'}:7 has an operation of that name already" in trouble.problem


def test_what_cannot_be_shown_and_what_is_known_to_type_checkers_only_is_explained(
    project: Path, operations: Path
) -> None:
    (operations / "odd.py").write_text(
        "from __future__ import annotations\n"
        "from typing import TYPE_CHECKING\n"
        "from clusterlib.operations import operation\n"
        "if TYPE_CHECKING:\n"
        "    from clusterlib.operations import NodeName\n"
        "@operation(effect='read', group='shop')\n"
        "def odd() -> object:\n"
        "    'Give something odd.'\n"
        "    return object()\n"
        "@operation(effect='read', group='shop')\n"
        "def hidden(node: NodeName) -> None:\n"
        "    'Have an annotation for type checkers only.'\n"
    )

    assert (
        "cannot be shown: object cannot be written as JSON" in program(project, "shop", "odd", code=2).stderr
    )
    assert "name 'NodeName' is not defined" in program(project, "shop", "hidden", "node1", code=2).stderr
    assert "shop.odd" in program(project, "operations", "--json").stdout
