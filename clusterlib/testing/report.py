"""The evidence of a run: when it becomes a report, and whether it stays."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from clusterlib.errors import ClusterError
from clusterlib.evidence.recorder import Recorder
from clusterlib.evidence.records import RunEnded
from clusterlib.evidence.reporting import Artifacts
from clusterlib.evidence.story import Story
from clusterlib.leases.usage import Usage
from clusterlib.testing.folder import ReportFolder
from clusterlib.testing.given import Examiner
from clusterlib.values.choices import KeepArtifacts

__all__ = ["RunReport"]

T = TypeVar("T")
SHORT = 2.0
"""A shorter, successful run makes no report during the run."""
GOOD = (0, 5)
"""Exit codes of pytest without a failure: all passed; no tests were collected."""


class RunReport:
    def __init__(self, folder: ReportFolder, artifacts: KeepArtifacts, record: Recorder) -> None:
        self.folder = folder
        self.notes: list[str] = []
        """Messages for the end."""
        self.annotations: list[str] = []
        """What GitHub makes annotations of."""
        self._artifacts = artifacts
        self._record = record
        self._made = Artifacts(folder.path)
        self._began = time.monotonic()

    @property
    def always(self) -> bool:
        return self.folder.asked or self._artifacts is KeepArtifacts.ALWAYS

    def wanted(self, exit_code: int) -> bool:
        return self.always or (self._artifacts is KeepArtifacts.FAILURE and exit_code not in GOOD)

    def refresh(self, *, urgent: bool) -> None:
        """Ensures that a report exists if the run is killed now.

        One now and then is enough, except after a failure and in a run whose evidence was
        requested."""
        if not self.always and (
            self._artifacts is KeepArtifacts.NEVER or (not urgent and time.monotonic() - self._began < SHORT)
        ):
            return
        self._try(self._made.refresh)

    def look_at_clusters(self, usage: Usage, project: Path, examiner: Examiner) -> None:
        """How the clusters are before they go."""
        from clusterlib.client.start import is_running

        latest = {one.name: one for one in usage.clusters}  # the runs before it are over
        for one in latest.values():
            with contextlib.suppress(ClusterError):  # it is gone, or ends
                if is_running(one.name, project=project):
                    self._record(examiner.health(one.name, project).recorded(one.run))

    def close(self, exit_code: int) -> None:
        """The run is over."""
        self._record(RunEnded(exit_code))
        self._record.close()
        wanted, github = self.wanted(exit_code), os.environ.get("GITHUB_ACTIONS") == "true"
        story = self._try(lambda: self._made.finish(junit=True)) if wanted or github else None
        if github and story is not None:
            self._try(lambda: self._tell_github(story))
        if not wanted:
            self.folder.remove()
            return
        if story is not None:
            self.notes.append(f"report of this run: {self.folder.path / 'report.html'}")
        self.folder.keep()

    def _tell_github(self, story: Story) -> None:
        """Annotations are printed in a certain format; the summary of the job is a file to which
        all steps append."""
        from clusterlib.evidence.github import job_summary, workflow_commands

        root = os.environ.get("GITHUB_WORKSPACE")
        self.annotations = list(workflow_commands(story, Path(root) if root else None))
        if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(job_summary(story))

    def _try(self, make: Callable[[], T]) -> T | None:
        """Evidence that cannot be put together must not become another failure of the tests."""
        try:
            return make()
        except Exception as error:  # noqa: BLE001 - whatever it is, the records are on disk
            note = f"no report could be made of {self.folder.path}: {type(error).__name__}: {error}"
            self.notes += [] if note in self.notes else [note]
            return None
