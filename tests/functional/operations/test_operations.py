"""Operations of a user's project: one file each, beside those of clusterlib."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import clusterlib
from clusterlib.errors import ClusterBusy, UsageError
from clusterlib.operations.catalogue import catalogue
from tests.functional.operations.own import FREEZE, WIPE, Up, program


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


def test_only_operations_on_a_cluster_are_its_methods(project: Path, operations: Path, up: Up) -> None:
    (operations / "stock.py").write_text(
        "from clusterlib.operations import operation\n"
        "@operation(effect='read')\n"
        "def nodes() -> str:\n"
        "    'Not about a cluster, so it may have the name of an attribute.'\n"
        "    return 'none'\n"
    )
    cluster = up("ci-small")

    ours = {"health", "kill", "pause", "resume", "start", "stop"}
    elsewhere = {"clean", "doctor", "events", "logs", "run", "shell", "up"}

    assert ours <= set(dir(cluster))
    assert elsewhere.isdisjoint(dir(cluster))
    for name in elsewhere:
        with pytest.raises(AttributeError, match=name):
            getattr(cluster, name)
    assert program(project, "nodes").stdout == "none\n"
    assert len(cluster.nodes) == 2


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


def test_a_changed_operation_runs_its_new_code_on_the_nodes_too(
    project: Path, operations: Path, up: Up
) -> None:
    """Nodes are sent its code. They neither import the file nor keep an old version of it."""
    source = (
        "from clusterlib import Cluster\n"
        "from clusterlib.operations import operation\n"
        "from ._prices import PRICE\n"
        "class Offer:\n"
        "    def __init__(self, price): self.price = price\n"
        "def offered(factor):\n"
        "    return Offer(PRICE * factor)\n"
        "@operation(effect='execute')\n"
        "def offer(cluster: Cluster) -> list[int]:\n"
        "    'Ask each node for its price.'\n"
        "    found = [node.run(offered, 1) for node in cluster]\n"
        "    assert all(type(one) is Offer for one in found)\n"
        "    return [one.price for one in found]\n"
    )
    (operations / "offer.py").write_text(source)
    (operations / "_prices.py").write_text("PRICE = 1\n")
    cluster = up("ci-small")
    assert cluster.offer() == [1, 1]

    (operations / "offer.py").write_text(source.replace("PRICE * factor", "PRICE + factor"))
    assert cluster.offer() == [2, 2]
    (operations / "_prices.py").write_text("PRICE = 5\n")
    assert cluster.offer() == [6, 6]
    (operations / "offer.py").write_text(source.replace("PRICE * factor", "PRICE +"))
    assert cluster.offer() == [6, 6]
    assert [node.digest().stale for node in cluster] == [(), ()]
