"""Parts of a test run: its folder, the name that workers share, records of a dead worker."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clusterlib.errors import NodeExited, StartError
from clusterlib.evidence.claiming import claim
from clusterlib.evidence.home import REPORTS
from clusterlib.evidence.records import (
    ClusterObtained,
    ClusterRefused,
    ClusterRepaired,
    TestStarted,
)
from clusterlib.leases.lease import Unserved
from clusterlib.messages.recorded import RecordedError
from clusterlib.messages.uses import AfterRefusal, Repaired
from clusterlib.testing.controller import usage_of
from clusterlib.testing.folder import ReportFolder
from clusterlib.testing.sharing import read_name, reserve_for_all
from clusterlib.testing.unserved import reason_of


def test_what_a_dead_worker_has_used_is_read_from_its_records() -> None:
    error = RecordedError.of(NodeExited("node1 ended"))
    usage = usage_of(
        [
            ClusterRefused(profile="dev", nodes=5, error=error, attempt=1, next=AfterRefusal.RETRY),
            ClusterRefused(profile="dev", nodes=5, error=error, attempt=2, next=AfterRefusal.SKIP),
            ClusterObtained("pytest", "/run", "dev", 3, 0.2),
            TestStarted("pytest", "/run", "a"),
            ClusterRepaired("pytest", "/run", Repaired.HEALED),
            ClusterRepaired("pytest", "/run", Repaired.SCALED),
            ClusterRepaired("pytest", "/run", Repaired.REPLACED),
            TestStarted("pytest", "/run", "b"),
            TestStarted(None, None, "c"),
        ]
    )

    (cluster,) = usage.clusters
    assert (cluster.tests, cluster.reuses, cluster.how) == (2, 1, "started")
    assert (cluster.heals, cluster.replacements, cluster.scalings) == (1, 1, 1)
    (failed,) = usage.failures
    assert (failed.nodes, failed.may_skip, failed.attempts) == (5, True, 2)


def test_a_dead_worker_has_not_healed_a_cluster_whose_code_was_renewed() -> None:
    """As the worker itself counts: restarting nodes for new code repairs no damage."""
    usage = usage_of(
        [
            ClusterObtained("pytest-private", "/run", "dev", 3, private_to="test_a"),
            ClusterRepaired("pytest-private", "/run", Repaired.RENEWED),
            ClusterRepaired("pytest-private", "/run", Repaired.FRESH),
        ]
    )

    (cluster,) = usage.clusters
    assert cluster.private
    assert cluster.heals == 1


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    wanted = tmp_path / "artifacts"

    assert ReportFolder.claim(wanted) == wanted
    assert ReportFolder.claim(wanted) == tmp_path / "artifacts-2"


def test_workers_do_not_read_the_name_that_an_earlier_run_has_reserved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run may have it by now: its cluster would be taken for that of this one."""
    earlier = claim(tmp_path / "artifacts")
    assert earlier is not None
    reservation = reserve_for_all(tmp_path, tmp_path / "artifacts")
    assert read_name(tmp_path / "artifacts") == reservation.name
    reservation.close()
    earlier.close()

    assert claim(tmp_path / "artifacts") is not None

    monkeypatch.setattr("clusterlib.testing.sharing.NAME_SECONDS", 0.0)
    with pytest.raises(StartError, match="cannot share a cluster"):
        read_name(tmp_path / "artifacts")


def test_of_the_reports_of_a_project_only_ours_go(tmp_path: Path) -> None:
    config: Any = SimpleNamespace(option=SimpleNamespace(cluster_artifacts=None))
    names = [f"20260101-00000{number}-7" for number in range(7)]
    for name in [*names, "0-my-own"]:
        (tmp_path / REPORTS / name).mkdir(parents=True)

    ReportFolder(tmp_path / REPORTS / names[-1], config).keep()

    left = {path.name for path in (tmp_path / REPORTS).iterdir()}
    assert left == {*names[2:], "0-my-own", "latest"}


def test_reports_that_are_too_large_together_go_the_oldest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusterlib.testing.folder.KEPT_BYTES", 250_000)
    config: Any = SimpleNamespace(option=SimpleNamespace(cluster_artifacts=None))
    names = [f"20260101-00000{number}-7" for number in range(4)]
    for name in names:
        (tmp_path / REPORTS / name).mkdir(parents=True)
        (tmp_path / REPORTS / name / "node1.log").write_bytes(b"x" * 100_000)

    ReportFolder(tmp_path / REPORTS / names[-1], config).keep()

    assert {path.name for path in (tmp_path / REPORTS).iterdir()} == {*names[2:], "latest"}


@pytest.mark.parametrize("brief", [True, False])
def test_the_reason_why_a_test_has_no_cluster_holds_no_secrets(
    monkeypatch: pytest.MonkeyPatch, brief: bool
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "t0ps3cr3tt0k3n")
    unserved = Unserved(NodeExited("node1 ended: t0ps3cr3tt0k3n is refused"), may_skip=True)

    assert reason_of(unserved, brief=brief).endswith("node1 ended: [redacted] is refused [node-exited]")
