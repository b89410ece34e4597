"""What nodes took in earlier runs, read from whatever these have left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clusterlib.rundir import footprint
from clusterlib.rundir.folders import RunFolder, new_run
from clusterlib.rundir.footprint import Footprint, measured_footprint

MIB = 2**20


def ran(project: Path, *amounts: int, name: str = "default", **facts: object) -> RunFolder:
    """A run that is over, in which its only node took these amounts, one after the other."""
    run = new_run(project, name)
    roles = [{"name": "node", "driver": "command"}]
    run.state.write_text(json.dumps({"profile": "box", "roles": roles, "simulated": False, **facts}))
    run.samples.write_text("".join(look(amount) for amount in amounts))
    return run


def look(amount: object) -> str:
    return json.dumps({"time": "", "nodes": {"box1": {"memory": amount, "cpu": 0.1}}, "keeper": {}}) + "\n"


def found(project: Path, besides: Path | None = None) -> Footprint | None:
    return measured_footprint(project, "box", role="node", driver="command", simulated=False, besides=besides)


def test_a_project_without_runs_knows_nothing(tmp_path: Path) -> None:
    assert found(tmp_path) is None


def test_the_most_of_the_newest_runs_is_found_under_whatever_name_they_ran(tmp_path: Path) -> None:
    ran(tmp_path, 500 * MIB)
    ran(tmp_path, 20 * MIB, 61 * MIB, 30 * MIB, name="pytest")
    most = ran(tmp_path, 62 * MIB, name="other")
    ran(tmp_path, 40 * MIB)

    assert found(tmp_path) == Footprint(62 * MIB, most), "the oldest is one too many"
    assert most.begun is not None
    assert found(tmp_path, besides=most.path).memory == 500 * MIB  # type: ignore[union-attr]
    assert Footprint(1, most).when == f"in the run of {most.begun:%Y-%m-%d %H:%M} UTC"


@pytest.mark.parametrize(
    ("fact", "other"),
    [
        ("profile", "crate"),
        ("roles", [{"name": "node", "driver": "python"}]),
        ("roles", [{"name": "box", "driver": "command"}]),
        ("simulated", True),
    ],
)
def test_runs_of_something_else_do_not_count(tmp_path: Path, fact: str, other: object) -> None:
    run = ran(tmp_path, 61 * MIB)
    run.state.write_text(json.dumps({**json.loads(run.state.read_text()), fact: other}))

    assert found(tmp_path) is None


def test_of_a_run_with_several_roles_the_nodes_of_one_count(tmp_path: Path) -> None:
    roles = [{"name": "web", "driver": "python"}, {"name": "node", "driver": "command"}]
    nodes = [{"name": "web1", "role": "web"}, {"name": "box1", "role": "node"}]
    run = ran(tmp_path, roles=roles, nodes=nodes)
    used = {name: {"memory": amount, "cpu": 0.1} for name, amount in (("web1", 90 * MIB), ("box1", 61 * MIB))}
    run.samples.write_text(json.dumps({"time": "", "nodes": used}) + "\n")

    assert found(tmp_path) == Footprint(61 * MIB, run)


def test_damaged_lines_cost_only_themselves(tmp_path: Path) -> None:
    run = ran(tmp_path, 61 * MIB)
    damaged = [
        b"\xff\xfe\n",
        b"[" * 50_000 + b"\n",
        b'[1]\n{"nodes": [2]}\n{"nodes": {"box1": 3}}\n',
        *(look(amount).encode() for amount in (None, True, -1, 2**80, "9", 1e400)),
        look(99 * MIB).encode()[:-9],
    ]
    run.samples.write_bytes(run.samples.read_bytes() + b"".join(damaged))
    state = ran(tmp_path, 400 * MIB).state
    state.write_text(state.read_text()[:-3])
    ran(tmp_path, 400 * MIB).state.unlink()
    ran(tmp_path).samples.unlink()

    assert found(tmp_path) == Footprint(61 * MIB, run)


def test_only_the_end_of_a_long_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "TAIL", 2 * len(look(61 * MIB)) + 3)
    run = ran(tmp_path, 90 * MIB, 60 * MIB, 61 * MIB)

    assert found(tmp_path) == Footprint(61 * MIB, run)


def test_only_the_newest_runs_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "LOOKED_AT", 2)
    ran(tmp_path, 61 * MIB)
    ran(tmp_path, 1 * MIB, profile="crate")
    ran(tmp_path, 1 * MIB, profile="crate")

    assert found(tmp_path) is None
