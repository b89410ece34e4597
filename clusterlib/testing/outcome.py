"""The outcome of one test, combined from pytest's reports of its three phases."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clusterlib.client.cluster import Cluster
from clusterlib.evidence.explained import Explained, NodeStacks, shortened
from clusterlib.evidence.outcome import Outcome
from clusterlib.evidence.records import TestEnded, TestStarted, UsedCluster
from clusterlib.messages.event import stamp
from clusterlib.testing.explaining import explain

__all__ = ["TestOutcome"]

LONGEST_MESSAGE = 4000


class TestOutcome:
    def __init__(self, item: pytest.Item, project: Path, *, plain_since: float | None = None) -> None:
        """`plain_since`: when a test without a cluster began. It is reported because it failed."""
        self.plain = plain_since is not None
        self.began = datetime.now(UTC) if plain_since is None else datetime.fromtimestamp(plain_since, UTC)
        """Output of the cluster from this time on belongs to the test."""
        self.outcome = Outcome.PASSED
        self.clusters: list[Cluster] = []
        """All that it used: first the cluster of its turn, then those started for it or by it."""
        self.again = False
        """Whether it failed before in this run and is repeated."""
        self._test = item.nodeid
        self._file = os.path.relpath(item.path, project)
        _, line, _ = item.location
        self._line = None if line is None else line + 1
        self._started = self.began
        self._served = self.began if self.plain else None
        self._message = ""
        self._explained: Explained | None = None
        self._project = project
        self._path = item.path
        self._seconds = 0.0

    @property
    def bad(self) -> bool:
        return self.outcome.bad

    def uses(self, cluster: Cluster) -> None:
        """Its turn begins now. What was done to make the cluster ready was not done by the test."""
        self.clusters.insert(0, cluster)
        self.is_served()

    def is_served(self) -> None:
        self.began = self._served = datetime.now(UTC)

    def uses_too(self, clusters: Iterable[Cluster]) -> None:
        """Clusters that it uses besides its turn, or instead: its own, or those of the session."""
        for cluster in clusters:
            if all(cluster.run_folder.path != known.run_folder.path for known in self.clusters):
                self.clusters.append(cluster)

    def started(self) -> TestStarted:
        """Everything known so far, in case the test ends this process."""
        cluster, run, also = self._used()
        return TestStarted(cluster, run, self._test, self._file, self._line, also)

    def _used(self) -> tuple[str | None, str | None, tuple[UsedCluster, ...]]:
        """The first cluster, its run, and the others."""
        used = tuple(UsedCluster(one.name, str(one.run_folder.path)) for one in self.clusters)
        return (used[0].cluster, used[0].run, used[1:]) if used else (None, None, ())

    def take(self, report: pytest.TestReport, raised: pytest.ExceptionInfo[BaseException] | None) -> None:
        self._seconds += report.duration
        if report.failed and not self.bad:
            self.outcome = Outcome.FAILED if report.when == "call" else Outcome.ERROR
            self._explain(report)
            with contextlib.suppress(Exception):  # a failed explanation is no second failure
                self._explained = explain(report, raised, self._project, self._path)
        elif report.skipped and self.outcome is Outcome.PASSED:
            self.outcome = Outcome.SKIPPED
            self._message = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""

    def shows(self, stacks: Iterable[tuple[str, str]]) -> None:
        """What its nodes did when it reached its time limit, each with a title."""
        found = tuple(NodeStacks(title, shortened(text)) for title, text in stacks)
        self._explained = dataclasses.replace(self._explained or Explained(), stacks=found)

    def ended(self) -> TestEnded:
        cluster, run, also = self._used()
        return TestEnded(
            cluster,
            run,
            self._test,
            self._file,
            self._line,
            also,
            outcome=self.outcome,
            seconds=round(self._seconds, 6),
            message=self._message[:LONGEST_MESSAGE],
            explained=self._explained,
            began=stamp(self._started),
            served=stamp(self._served) if self._served else None,
            plain=self.plain,
        )

    def _explain(self, report: pytest.TestReport) -> None:
        crash = getattr(report.longrepr, "reprcrash", None)
        self._message = crash.message if crash is not None else str(report.longrepr)
        entries = getattr(getattr(report.longrepr, "reprtraceback", None), "reprentries", ())
        for entry in entries:  # an editor should open the innermost line of the test's own file
            place = getattr(entry, "reprfileloc", None)
            if place is not None and Path(place.path).name == Path(self._file).name:
                self._line = place.lineno
