"""Operations of a user's project: one file each, beside those of clusterlib."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import clusterlib
from clusterlib.errors import ClusterBusy, OperationBroken, UsageError
from clusterlib.operations.catalogue import catalogue

Up = Callable[..., clusterlib.Cluster]
FREEZE = '''
from clusterlib import Cluster
from clusterlib.operations import operation


@operation(effect="change")
def freeze(cluster: Cluster) -> list[str]:
    """Suspend every node: they stay alive but stop responding."""
    for node in cluster:
        node.pause()
    return [node.name for node in cluster]
'''
WIPE = '''
from pathlib import Path
from typing import Annotated

from clusterlib import Cluster
from clusterlib.operations import Help, Secret, operation

Token = Annotated[str, Secret(), Help("What proves that you may.")]


@operation(effect="destroy", group="cluster.data")
def wipe(cluster: Cluster, *, token: Token, backup: bool = True) -> str:
    """Delete everything."""
    if token == "wrong":
        raise RuntimeError(f"{token} is not it")
    return f"wiped {len(cluster)} nodes, {'with' if backup else 'without'} a backup"
'''


@pytest.fixture
def operations(project: Path) -> Path:
    folder = project / "operations"
    folder.mkdir()
    return folder


def program(project: Path, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "clusterlib", *words], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_one_file_gives_a_command_a_task_and_a_method(project: Path, operations: Path, up: Up) -> None:
    (operations / "freeze.py").write_text(FREEZE)
    (project / "tasks.py").write_text("from clusterlib.invoke import namespace\n")
    cluster = up("ci-small")

    assert cluster.freeze() == ["node1", "node2"]
    assert [node.state for node in cluster] == ["paused", "paused"]
    cluster.heal()
    assert program(project, "freeze").stdout == "node1\nnode2\n"
    cluster.heal()
    invoked = subprocess.run(
        [sys.executable, "-m", "invoke", "cluster.freeze", "--json"],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(invoked.stdout) == ["node1", "node2"]
    assert [node.state for node in cluster] == ["paused", "paused"]
    assert "freeze" in program(project, "--help").stdout
    assert "freeze" in program(project, "--complete", "fr").stdout


def test_the_keeper_records_what_begins_and_how_it_ends(project: Path, operations: Path, up: Up) -> None:
    (operations / "wipe.py").write_text(WIPE)
    cluster = up("ci-small")

    assert cluster.data.wipe(token="open sesame") == "wiped 2 nodes, with a backup"
    with pytest.raises(RuntimeError):
        cluster.data.wipe(token="wrong")

    diary = json.loads(program(project, "events", "--json").stdout)["events"]
    told = [one for one in diary if one["kind"].startswith("operation.")]
    assert [(one["kind"], one.get("error", "")) for one in told] == [
        ("operation.began", ""),
        ("operation.ended", ""),
        ("operation.began", ""),
        ("operation.ended", "RuntimeError('*** is not it')"),
    ]
    assert told[0]["arguments"] == {"token": "***"}
    assert "sesame" not in json.dumps(diary)
    assert cluster.status().dirty == (
        "cluster.data.wipe was carried out",
        "cluster.data.wipe failed: RuntimeError('*** is not it')",
    )


def test_a_caller_that_dies_has_ended_what_it_began(project: Path, operations: Path, up: Up) -> None:
    (operations / "leave.py").write_text(
        "import os\n"
        "from clusterlib import Cluster\n"
        "from clusterlib.operations import operation\n"
        "@operation(effect='change')\n"
        "def leave(cluster: Cluster) -> None:\n"
        "    'Leave in the middle.'\n"
        "    os._exit(9)\n"
    )
    cluster = up("ci-small")

    program(project, "leave", code=9)

    def ended() -> list[str]:
        diary = json.loads(program(project, "events", "--json").stdout)["events"]
        return [one["error"] for one in diary if one["kind"] == "operation.ended"]

    assert cluster.wait_until(ended) == ["the connection of its caller was closed"]


def test_those_who_share_a_cluster_must_not_change_it_by_an_operation(
    project: Path, operations: Path, up: Up
) -> None:
    (operations / "freeze.py").write_text(FREEZE)
    up("ci-small")
    with clusterlib.attach() as sharing:
        sharing.take_turn("a test", exclusive=False)

        with pytest.raises(ClusterBusy):
            sharing.freeze()

        assert sharing.health().healthy  # looking is not refused
        assert [node.state for node in sharing] == ["ready", "ready"]


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


def test_listing_imports_no_operation_and_is_remembered(project: Path, operations: Path) -> None:
    (operations / "freeze.py").write_text("raise SystemExit('imported')\n" + FREEZE)
    (project / ".clusterlib").mkdir()

    assert "freeze" in program(project, "--help").stdout
    assert "freeze" in program(project, "freeze", "--help").stdout
    assert program(project, "profile", "list").stdout
    memory = project / ".clusterlib" / "operations.json"
    assert oct(memory.stat().st_mode & 0o777) == "0o600"
    before = memory.read_text()
    assert "freeze" in program(project, "--help").stdout
    assert memory.read_text() == before

    memory.write_text("spoilt")
    (operations / "freeze.py").write_text(FREEZE.replace("freeze", "halt"))
    names = [one.full_name for one in catalogue(project).operations]
    assert "cluster.halt" in names
    assert "cluster.freeze" not in names


def test_what_a_cluster_does_not_have_is_explained(project: Path, operations: Path, up: Up) -> None:
    (operations / "freeze.py").write_text(FREEZE)
    cluster = up("ci-small")

    with pytest.raises(AttributeError, match=r"did you mean freeze\?"):
        cluster.freze()
    assert not hasattr(cluster, "_anything")


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


def test_a_flag_that_is_on_can_be_turned_off(project: Path, operations: Path, up: Up) -> None:
    (operations / "wipe.py").write_text(WIPE)
    up("ci-small")

    said = program(project, "data", "wipe", "--token", "x", "--no-backup")

    assert said.stdout == "wiped 2 nodes, without a backup\n"


def test_help_says_what_an_argument_is_without_being_given(project: Path, operations: Path) -> None:
    (operations / "greet.py").write_text(
        "from clusterlib.operations import operation\n"
        "@operation(effect='read', group='shop')\n"
        "def hello_world(*words: str, times: int = 1, loud: bool = True) -> dict[str, int]:\n"
        "    'Say hello.'\n"
        "    return {word: times for word in words}\n"
    )

    help_ = program(project, "shop", "hello-world", "--help").stdout

    assert "usage: clusterlib shop hello-world [--times N] [--no-loud] [--json] [-- WORDS ...]" in help_
    assert "--times N   Default: 1." in help_
    assert program(project, "shop", "hello-world", "--", "a", "b").stdout == "a: 1\nb: 1\n"


def test_groups_and_names_with_underscores_are_commands_tasks_and_methods(
    project: Path, operations: Path, up: Up
) -> None:
    (project / "tasks.py").write_text("from clusterlib.invoke import namespace\n")
    (operations / "load.py").write_text(
        "from clusterlib import Cluster\n"
        "from clusterlib.operations import Caller, operation\n"
        "@operation(effect='read', group='cluster.load_test')\n"
        "def place_order(item: str, cluster: Cluster, count: int = 1, *, caller: Caller) -> str:\n"
        "    'Place an order.'\n"
        "    return f'{count} {item} for {len(cluster)} in {caller.project}'\n"
    )
    cluster = up("ci-small")
    expected = f"2 tea for 2 in {project}"

    assert cluster.load_test.place_order("tea", 2) == expected
    assert cluster.load_test.place_order(item="tea", count=2) == expected
    assert program(project, "load-test", "place-order", "tea", "2").stdout == f"{expected}\n"
    for words in (["tea", "2"], ["tea", "--count", "2"], ["--item", "tea", "--count", "2"]):
        invoked = subprocess.run(
            [sys.executable, "-m", "invoke", "cluster.load-test.place-order", *words],
            cwd=project,
            capture_output=True,
            text=True,
            check=True,
        )
        assert invoked.stdout == f"{expected}\n"
    assert "clusterlib load-test place-order" in program(project, "load-test", code=2).stderr
    assert "load_test" in dir(cluster)
    with pytest.raises(UsageError, match="count"):
        cluster.load_test.place_order("tea", "many")
    with pytest.raises(TypeError, match="item"):
        cluster.load_test.place_order()


def test_operations_that_run_beside_each_other_end_on_their_own(
    project: Path, operations: Path, up: Up
) -> None:
    (operations / "slow.py").write_text(
        "from clusterlib import Cluster\n"
        "from clusterlib.operations import operation\n"
        "@operation(effect='change')\n"
        "def outer(cluster: Cluster) -> str:\n"
        "    'Run another one meanwhile.'\n"
        "    return cluster.inner()\n"
        "@operation(effect='change')\n"
        "def inner(cluster: Cluster, *words: str) -> str:\n"
        "    'Fail.'\n"
        "    raise RuntimeError('inner only') if not words else RuntimeError(' '.join(words))\n"
    )
    cluster = up("ci-small")

    with pytest.raises(RuntimeError):
        cluster.outer()
    program(project, "inner", "--", "a", "b", code=1)

    diary = json.loads(program(project, "events", "--json").stdout)["events"]
    told = [one for one in diary if one["kind"].startswith("operation.")]
    assert [(one["kind"].partition(".")[2], one["operation"]) for one in told] == [
        ("began", "cluster.outer"),
        ("began", "cluster.inner"),
        ("ended", "cluster.inner"),
        ("ended", "cluster.outer"),
        ("began", "cluster.inner"),
        ("ended", "cluster.inner"),
    ]
    assert told[4]["arguments"] == {"words": "a b"}


def test_functions_of_an_operation_can_run_in_nodes(project: Path, operations: Path, up: Up) -> None:
    (operations / "visit.py").write_text(
        "from clusterlib import Cluster\n"
        "from clusterlib.operations import operation\n"
        "def double(number):\n"
        "    return 2 * number\n"
        "@operation(effect='execute')\n"
        "def visit(cluster: Cluster) -> int:\n"
        "    'Compute in a node.'\n"
        "    return cluster.nodes[0].run(double, 21)\n"
    )
    up("ci-small")

    assert program(project, "visit").stdout == "42\n"


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


def test_a_damaged_memory_is_read_anew(project: Path, operations: Path) -> None:
    (operations / "freeze.py").write_text(FREEZE)
    (project / ".clusterlib").mkdir()
    assert "freeze" in program(project, "--help").stdout
    memory = project / ".clusterlib" / "operations.json"
    known = json.loads(memory.read_text())

    damages: tuple[object, ...] = (3, {"state": [], "operations": [{}], "troubles": []})
    for damage in damages:
        memory.write_text(json.dumps({**known, "files": dict.fromkeys(known["files"], damage)}))
        assert "freeze" in program(project, "--help").stdout
