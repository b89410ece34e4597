"""The evidence of a command that uses a cluster. The command counts as one test of that cluster.

Imports are inside functions, because most runs leave no evidence and should not wait for them."""

from __future__ import annotations

import contextlib
import os
import shlex
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.client.cluster import Cluster
from clusterlib.errors import ClusterError, UsageError
from clusterlib.evidence.outcome import Outcome
from clusterlib.evidence.recorder import Recorder
from clusterlib.evidence.records import (
    ClusterEnded,
    ClusterObtained,
    ClusterRefused,
    PreflightRecorded,
    RunEnded,
    TestEnded,
    TestStarted,
    UsedCluster,
)
from clusterlib.machine.facts import detect_machine
from clusterlib.messages.event import stamp
from clusterlib.messages.recorded import RecordedError
from clusterlib.messages.uses import AfterRefusal, Obtained
from clusterlib.profiles import default_profile
from clusterlib.remedies import do
from clusterlib.rundir.folders import latest_run

if TYPE_CHECKING:
    from clusterlib.evidence.claiming import FolderClaim
    from clusterlib.testing.given import Examiner

__all__ = ["CommandEvidence"]


class CommandEvidence:
    """Records what happens. The report is made at the end, even if the cluster did not start."""

    def __init__(
        self,
        folder: Path | str | None,
        command: Sequence[str],
        profile: str | None,
        project: Path,
        examiner: Examiner,
    ) -> None:
        self.folder = Path(folder).absolute() if folder else None
        self._profile = (profile or default_profile(project)) if folder else ""
        self._command = shlex.join(command) or f"the tests of profile {self._profile}"
        self._project = project
        self._examiner = examiner
        self._began = time.monotonic()
        self._run: UsedCluster | None = None
        self._is_recorded = False
        """Whether the outcome of the command is recorded."""
        self._because: RecordedError | None = None
        """What went wrong before the end of the cluster."""
        self._left: RecordedError | None = None
        """What went wrong at its end."""
        self._claim = _claimed(self.folder) if self.folder else None
        self._record = Recorder(self.folder) if self.folder else None

    def start(self) -> None:
        """Records what this run is, and the state of the machine."""
        if self._record is None:
            return
        self._record.begin(self._project, detect_machine(os.environ))
        with contextlib.suppress(ClusterError):  # the start reports the same error
            found = self._examiner.machine(self._profile, self._project)
            self._record(PreflightRecorded(found.profile, found.findings))

    def ready(self, cluster: Cluster, command: Sequence[str], *, borrowed: bool) -> None:
        self._command = shlex.join(command)
        self._run = UsedCluster(cluster.name, str(cluster.run_folder.path))
        if self._record is None:
            return
        self._record(
            ClusterObtained(
                self._run.cluster,
                self._run.run,
                profile=cluster.profile,
                nodes=len(list(cluster)),
                seconds=round(time.monotonic() - self._began, 4),
                how=Obtained.BORROWED if borrowed else Obtained.STARTED,
                simulated=cluster.simulated,
            )
        )
        self._record(TestStarted(self._run.cluster, self._run.run, self._command))

    def ended(self, cluster: Cluster, code: int, seconds: float) -> None:
        """The command has ended: records the health of the nodes."""
        self._outcome(
            Outcome.FAILED if code else Outcome.PASSED, f"exit code {code}" if code else "", seconds
        )
        if self._record is not None:
            with contextlib.suppress(ClusterError):
                health = self._examiner.health(cluster.name, cluster.project)
                self._record(health.recorded(str(cluster.run_folder.path)))

    def failed(self, error: ClusterError, cluster: str) -> None:
        """Records a cluster or a command that did not start, or a cluster that ended badly."""
        recorded = RecordedError.of(error)
        if self._is_recorded:
            self._left = recorded
        else:
            self._because = recorded
        if self._record is not None and self._run is None:
            latest = latest_run(self._project, cluster)
            self._record(
                ClusterRefused(
                    cluster if latest else None,
                    str(latest.path) if latest else None,
                    profile=self._profile,
                    error=recorded,
                    next=AfterRefusal.FAIL,
                )
            )
        self._outcome(Outcome.ERROR, error.problem, 0.0)

    def finish(self, code: int) -> None:
        """Makes the report from all records."""
        if self._record is None or self.folder is None or self._claim is None:
            return
        from clusterlib.evidence.reporting import finish

        self._outcome(Outcome.ERROR, "interrupted", 0.0)
        if self._run is not None:
            seconds = round(time.monotonic() - self._began, 4)
            self._record(ClusterEnded(self._run.cluster, self._run.run, seconds, self._left, self._because))
        self._record(RunEnded(code))
        self._record.close()
        try:
            finish(self.folder, junit=True)
        finally:
            self._claim.close()

    def _outcome(self, outcome: Outcome, message: str, seconds: float) -> None:
        if self._record is None or self._is_recorded:
            return
        self._is_recorded = True
        began = datetime.now(UTC) - timedelta(seconds=seconds)
        self._record(
            TestEnded(
                self._run.cluster if self._run else None,
                self._run.run if self._run else None,
                self._command,
                outcome=outcome,
                seconds=round(seconds, 4),
                message=message,
                began=stamp(began),
            )
        )


def _claimed(folder: Path) -> FolderClaim:
    from clusterlib.evidence.claiming import claim

    claimed = claim(folder)
    if claimed is None:
        raise UsageError(
            f"another run is writing its artifacts to {folder}",
            remedies=[do("cluster.run", artifacts=f"{folder}-2")],
        )
    return claimed
