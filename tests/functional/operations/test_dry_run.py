"""A dry run says what an operation would destroy, and destroys nothing."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest

from clusterlib.errors import ClusterError, NodeUnknown, UsageError
from clusterlib.messages.effects import Effect
from clusterlib.operations.catalogue import load, shipped
from clusterlib.operations.declaring import Caller
from clusterlib.operations.down import bring_down
from clusterlib.operations.dry_run import Foreseen
from clusterlib.rundir.folders import latest_run
from tests.functional.operations.own import WIPE, Up, program

GIVEN: dict[str, dict[str, object]] = {
    "cluster.stop": {"node": "node2"},
    "cluster.kill": {"node": "node2"},
    "cluster.scale": {"count": 1},
}
DESTROYING = [one for one in shipped() if one.effect is Effect.DESTROY]


@pytest.mark.parametrize("name", [one.full_name for one in DESTROYING])
def test_no_operation_does_anything_in_a_dry_run(name: str, up: Up, project: Path) -> None:
    cluster = up("ci-small", simulate=True)
    (listed,) = [one for one in shipped() if one.full_name == name]
    operation = load(listed)
    assert operation.has_dry_run
    arguments = {**{one.name: "x" for one in listed.parameters if one.required}, **GIVEN.get(name, {})}
    run = latest_run(project, "default")
    assert run is not None
    before = cluster.status()
    events = run.events.read_text()

    with suppress(ClusterError):  # an operation that needs more arguments, or another kind of cluster
        foreseen = operation.called_by(Caller(project), None, (), {**arguments, "dry_run": True})
        assert isinstance(foreseen, Foreseen)
        assert foreseen.operation == name
        assert all(" would " in one or "kept" in one for one in foreseen.would)

    after = cluster.status()
    assert [(one.name, one.pid, one.starts) for one in after.nodes] == [
        (one.name, one.pid, one.starts) for one in before.nodes
    ]
    assert not after.dirty
    assert latest_run(project, "default") == run
    assert "operation.began" not in run.events.read_text()[len(events) :]


def test_it_says_what_would_be_done(up: Up, project: Path) -> None:
    cluster = up("ci-small", simulate=True)
    pid = cluster["node2"].status().pid

    assert cluster.kill("node2", dry_run=True).would == (
        f"node2 (pid {pid}) would be killed with SIGKILL, with all its processes",
    )
    assert bring_down(project=project, dry_run=True).to_dict()["would"] == [
        "cluster default would be ended, with its nodes node1, node2"
    ]
    assert (
        program(project, "scale", "5", "--dry-run").stdout
        == "3 nodes would be added to the 2 that there are\n"
    )
    assert program(project, "scale", "2", "--dry-run").stdout == "nothing would be done\n"
    said = program(project, "kill", "node1", "--dry-run", "--json").stdout
    assert json.loads(said)["cluster"] == "default"
    assert "--dry-run" in program(project, "kill", "--help").stdout
    assert "--dry-run" not in program(project, "pause", "--help").stdout
    assert [node.state for node in cluster] == ["ready", "ready"]


def test_its_arguments_are_checked(up: Up) -> None:
    cluster = up("ci-small", simulate=True)

    with pytest.raises(NodeUnknown):
        cluster.kill("node9", dry_run=True)
    with pytest.raises(UsageError, match="dry_run"):
        cluster.kill("node1", dry_run="perhaps")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="dry_run"):
        cluster.pause("node1", dry_run=True)  # type: ignore[call-arg]
    assert cluster["node1"].state == "ready"


def test_an_operation_of_a_project_has_one_too(up: Up, project: Path, operations: Path) -> None:
    (operations / "wipe.py").write_text(WIPE)
    cluster = up("ci-small", simulate=True)
    plain = cluster.data.wipe(token="right", dry_run=True)
    assert plain.would == ("cluster.data.wipe would be carried out; it does not say what it does",)

    foresees = """

@wipe.foresees
def _foresee_wipe(cluster: Cluster, *, token: Token, backup: bool = True) -> list[str]:
    return [f"the data of {len(cluster)} nodes would be deleted"]
"""
    (operations / "wipe.py").write_text(WIPE + foresees)
    assert cluster.data.wipe(token="right", dry_run=True).would == ("the data of 2 nodes would be deleted",)
    assert program(project, "data", "wipe", "--token", "right", "--dry-run").stdout.startswith(
        "the data of 2"
    )

    own = WIPE.replace("backup: bool = True", "backup: bool = True, dry_run: bool = False")
    (operations / "wipe.py").write_text(own)
    assert cluster.data.wipe(token="right", dry_run=True) == "wiped 2 nodes, with a backup"
