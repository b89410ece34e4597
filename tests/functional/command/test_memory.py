"""Driver `command`: warnings about memory come from the profile or a measurement, never a
default."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import clusterlib
from clusterlib.messages.findings import CheckOutcome, Finding
from clusterlib.operations.doctor import examine_machine
from clusterlib.operations.health import examine_health
from tests.functional.command.boxes import SERVER
from tests.functional.conftest import Up

LARGE = "held = b'x' * (90 << 20)\n"
"""What makes the server take about 100 MiB."""


def doctor(project: Path) -> Finding:
    (found,) = (one for one in examine_machine("box", project=project).findings if one.name == "memory")
    return found


def health(project: Path) -> Finding:
    (row,) = examine_health(project=project).nodes
    (found,) = (check for check in row.checks if check.name == "memory")
    return found


def looked_at(cluster: clusterlib.Cluster) -> list[int]:
    """What the node took, by the keeper's samples, when there are some."""
    samples = cluster.run_folder.samples
    cluster.wait_until(lambda: samples.exists() and samples.read_text().endswith("\n"), 10)
    return [json.loads(line)["nodes"]["box1"]["memory"] for line in samples.read_text().splitlines()]


def test_a_large_server_is_no_reason_to_warn_and_the_doctor_knows_it_after_a_run(
    up: Up, write: Callable[..., None], project: Path
) -> None:
    write()
    (project / "server.py").write_text(LARGE + SERVER)
    before = doctor(project)
    assert (before.outcome, before.remedies) == (CheckOutcome.SKIPPED, ())
    assert "32 MiB" not in before.evidence
    assert "not known yet" in before.evidence

    cluster = up("box", nodes=1)
    assert health(project).outcome is CheckOutcome.OK
    assert int(health(project).evidence.split()[0]) > 90
    assert min(looked_at(cluster)) > 90 << 20
    cluster.down()

    after = doctor(project)
    amount = max(looked_at(cluster))
    begun = cluster.run_folder.begun
    assert after.outcome is CheckOutcome.OK
    assert f"3 nodes of {amount / 2**20:.0f} MiB take" in after.evidence
    assert f"(as in the run of {begun:%Y-%m-%d %H:%M} UTC)" in after.evidence


def test_a_server_that_takes_far_more_than_in_earlier_runs_is_warned_about(
    up: Up, write: Callable[..., None], project: Path
) -> None:
    write()
    first = up("box", nodes=1)
    assert max(looked_at(first)) < 40 << 20
    first.down()
    (project / "server.py").write_text(LARGE + SERVER)

    up("box", nodes=1)

    found = health(project)
    assert found.outcome is CheckOutcome.WARNING
    assert "MiB, nodes of this profile took up to " in found.evidence
    assert f"in the run of {first.run_folder.begun:%Y-%m-%d %H:%M} UTC" in found.evidence


def test_an_amount_that_a_profile_says_is_warned_about_with_its_origin(
    up: Up, write: Callable[..., None], project: Path
) -> None:
    write()
    profile = project / "profiles/box.toml"
    profile.write_text(profile.read_text().replace("[nodes]\n", '[nodes]\nmemory = "16MiB"\n'))
    (project / "server.py").write_text(LARGE + SERVER)

    up("box", nodes=1)

    assert health(project).outcome is CheckOutcome.WARNING
    assert "more than the 16 MiB of nodes.memory: profile box (profiles/box.toml)" in health(project).evidence
    assert doctor(project).evidence.endswith("(nodes.memory: profile box (profiles/box.toml:3))")
