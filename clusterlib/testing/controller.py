"""The controller of a parallel run.

It runs no tests and has no clusters; the records of its workers show what they do."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from clusterlib.errors import ClusterError
from clusterlib.evidence.recorder import Recorder, read_records
from clusterlib.evidence.records import (
    LEADER,
    ClusterObtained,
    ClusterRefused,
    ClusterRepaired,
    Recorded,
    ScheduleRecorded,
    TestStarted,
)
from clusterlib.leases.naming import Reservation
from clusterlib.leases.usage import ClusterUsage, FailureUsage, Usage
from clusterlib.messages.codec import revive
from clusterlib.messages.uses import AfterRefusal, Repaired
from clusterlib.testing import junit
from clusterlib.testing.folder import ReportFolder
from clusterlib.testing.options import read_options
from clusterlib.testing.place import project_of
from clusterlib.testing.report import RunReport
from clusterlib.testing.sharing import reserve_for_all
from clusterlib.testing.shown import RunPlan, RunSummary
from clusterlib.testing.tally import Tally, WorkerResult
from clusterlib.values.choices import WorkerClusters

__all__ = ["Controller", "usage_of"]


class Controller:
    def __init__(self, config: pytest.Config, folder: str) -> None:
        self._config = config
        self._said = read_options(config, project_of(config))
        self._folder = ReportFolder(Path(folder), config)
        self._record = Recorder(self._folder.path)
        self._report = RunReport(self._folder, self._said.tests.artifacts, self._record)
        self._tally = Tally()
        self._heard: set[str] = set()
        self._planned = False
        self._shared: Reservation | None = None
        self._record.begin(self._said.project, self._said.machine)
        if self._said.tests.workers is WorkerClusters.SHARED:
            self._share_a_name()
        config.pluginmanager.register(self, "clusterlib-controller")
        config.pluginmanager.register(junit.JUnitOutput(config), "clusterlib-logs")

    def _share_a_name(self) -> None:
        """Reserves the name of the workers' cluster. Without a name, each worker refuses its tests
        a cluster."""
        try:
            self._shared = reserve_for_all(self._said.project, self._folder.path)
        except (OSError, ClusterError) as error:
            reason = error.problem if isinstance(error, ClusterError) else str(error)
            self._report.notes.append(f"the workers of this run cannot share a cluster: {reason}")

    def collected(self) -> RunPlan | None:
        """A worker knows its tests.

        All workers have the same plan: that of the first one is returned, once."""
        if self._planned:
            return None
        records = read_records(self._folder.path)
        plan = next((one.what for one in records if isinstance(one.what, ScheduleRecorded)), None)
        if plan is None:
            return None
        self._planned = True
        if self._report.always:
            self._report.refresh(urgent=True)
        each = self._said.tests.workers is WorkerClusters.EACH
        return RunPlan(plan, each_worker=each, notes=self._folder.notes)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed or report.when == "teardown":
            self._report.refresh(urgent=report.failed)

    def worker_down(self, node: Any, error: object) -> None:
        """A worker has ended: in order, with its usage; or not, and then its records show the
        usage."""
        worker = str(node.workerinput["workerid"])
        output = getattr(node, "workeroutput", {}).get("clusterlib")
        if output is not None:
            self._heard.add(worker)
            self._tally.add_worker(revive(WorkerResult, json.loads(output)))
        elif error is not None:
            self._tally.crashed.append(worker)

    @contextlib.contextmanager
    def finishing(self, session: pytest.Session) -> Iterator[None]:
        """Around pytest's own end, which waits for the workers."""
        try:
            with junit.whole(self._config, self._folder.path):
                yield
        finally:
            if self._shared is not None:
                self._shared.close()
            self._add_the_unheard()
            self._tally.judge(session)
            self._report.close(int(session.exitstatus))

    @property
    def summary(self) -> RunSummary:
        return RunSummary(self._tally, self._report.notes, self._report.annotations)

    def _add_the_unheard(self) -> None:
        """Adds the usage of workers that crashed, from their records."""
        by_worker: dict[str, list[Recorded]] = {}
        for record in read_records(self._folder.path):
            by_worker.setdefault(record.worker, []).append(record.what)
        for worker, records in by_worker.items():
            if worker not in self._heard and worker != LEADER:
                self._tally.add(usage_of(records))


def usage_of(records: Sequence[Recorded]) -> Usage:
    """What a process has used, as far as its records know."""
    usage = Usage()
    clusters: dict[str, ClusterUsage] = {}
    for what in records:
        match what:
            case ClusterObtained(run=str(run)):
                clusters[run] = ClusterUsage(
                    name=what.cluster or "",
                    run=run,
                    profile=what.profile,
                    nodes=what.nodes or 0,
                    how=what.how,
                    simulated=what.simulated,
                    private=what.private_to is not None,
                    start_seconds=what.seconds or 0.0,
                )
            case TestStarted(run=str(run)) if run in clusters:
                clusters[run].reuses += bool(clusters[run].tests)
                clusters[run].tests += 1
            case ClusterRepaired(run=str(run), how=how) if run in clusters:
                clusters[run].heals += how.is_healing
                clusters[run].replacements += how is Repaired.REPLACED
                clusters[run].scalings += how is Repaired.SCALED
            case ClusterRefused() if not what.is_tried_again:
                may_skip = what.next is AfterRefusal.SKIP
                failure = FailureUsage(
                    what.profile, what.nodes or 0, what.error, may_skip, what.attempt, tests=1
                )
                usage.failures.append(failure)
    usage.clusters = list(clusters.values())
    return usage
