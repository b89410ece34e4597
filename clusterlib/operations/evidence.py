"""What a command that was given a cluster leaves behind: the command counts as one test of that cluster.

Imports are inside functions: most runs leave nothing, and should not wait for what they do not use."""

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
from clusterlib.evidence.recorder import Recorder
from clusterlib.machine.facts import detect_machine
from clusterlib.profiles import default_profile
from clusterlib.rundir.folders import latest_run

if TYPE_CHECKING:
    from clusterlib.evidence.claiming import Claim

__all__ = ["Evidence"]


class Evidence:
    """Written as things happen; made into a report at the end, also where the cluster never came up."""

    def __init__(
        self, folder: Path | str | None, command: Sequence[str], profile: str | None, project: Path
    ) -> None:
        self.folder = Path(folder).absolute() if folder else None
        self._profile = (profile or default_profile(project)) if folder else ""
        self._command = shlex.join(command) or f"the tests of profile {self._profile}"
        self._project = project
        self._began = time.monotonic()
        self._run: dict[str, str] = {}
        self._told = False
        """Whether the outcome of the command is on record."""
        self._ending: dict[str, object] = {"error": None, "because": None}
        """What went wrong: at the end of the cluster, or before it."""
        self._claim = _claimed(self.folder) if self.folder else None
        self._record = Recorder(self.folder) if self.folder else None

    def start(self) -> None:
        """Says what this run is, and how fit the machine is for it."""
        if self._record is None:
            return
        from clusterlib.operations.doctor import examine_machine

        self._record.begin(self._project, detect_machine(os.environ).to_json())
        with contextlib.suppress(ClusterError):  # what keeps it from looking is told by the start itself
            found = examine_machine(self._profile, project=self._project).to_dict()
            self._record("preflight", profile=found["profile"], findings=found["findings"])

    def ready(self, cluster: Cluster, command: Sequence[str], *, borrowed: bool) -> None:
        self._command = shlex.join(command)
        self._run = {"cluster": cluster.name, "run": str(cluster.run_folder.path)}
        if self._record is None:
            return
        self._record(
            "cluster.started",
            **self._run,
            profile=cluster.profile,
            nodes=len(list(cluster)),
            seconds=round(time.monotonic() - self._began, 4),
            how="borrowed" if borrowed else "started",
            simulated=cluster.simulated,
        )
        self._record("test.started", test=self._command, **self._run)

    def ended(self, cluster: Cluster, code: int, seconds: float) -> None:
        """The command is through; how are the nodes?"""
        self._outcome("failed" if code else "passed", f"exit code {code}" if code else "", seconds)
        if self._record is not None:
            from clusterlib.operations.health import examine_health

            with contextlib.suppress(ClusterError):
                health = examine_health(cluster.name, project=cluster.project).to_dict()
                self._record("health", **{**health, **self._run})

    def failed(self, error: ClusterError, cluster: str) -> None:
        """The cluster did not start, the command could not, or the cluster did not end as it should."""
        self._ending["error" if self._told else "because"] = error.to_dict()
        if self._record is not None and not self._run:
            latest = latest_run(self._project, cluster)
            where = {"cluster": cluster, "run": str(latest.path)} if latest else {}
            self._record(
                "cluster.failed",
                **where,
                profile=self._profile,
                nodes=None,
                attempt=1,
                error=error.to_dict(),
                next="fail",
            )
        self._outcome("error", error.problem, 0.0)

    def finish(self, code: int) -> None:
        """The report, from all that was written."""
        if self._record is None or self.folder is None or self._claim is None:
            return
        from clusterlib.evidence.reporting import finish

        self._outcome("error", "interrupted", 0.0)
        if self._run:
            seconds = round(time.monotonic() - self._began, 4)
            self._record("cluster.ended", **self._run, seconds=seconds, **self._ending)
        self._record("run.ended", exit_code=code)
        self._record.close()
        try:
            finish(self.folder, junit=True)
        finally:
            self._claim.close()

    def _outcome(self, outcome: str, message: str, seconds: float) -> None:
        if self._record is None or self._told:
            return
        self._told = True
        self._record(
            "test.ended",
            test=self._command,
            outcome=outcome,
            seconds=round(seconds, 4),
            message=message,
            file=None,
            line=None,
            cluster=self._run.get("cluster"),
            run=self._run.get("run"),
            began=(datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        )


def _claimed(folder: Path) -> Claim:
    from clusterlib.evidence.claiming import claim

    claimed = claim(folder)
    if claimed is None:
        raise UsageError(
            f"another run is writing its artifacts to {folder}",
            remedies=[f"invoke cluster.run --artifacts {shlex.quote(f'{folder}-2')}"],
        )
    return claimed
