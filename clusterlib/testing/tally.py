"""What all processes of a run have used, put together for its summary."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from clusterlib.frozen import frozen
from clusterlib.leases.usage import ClusterUsage, FailureUsage, Usage
from clusterlib.messages.recorded import RecordedError
from clusterlib.messages.uses import Obtained

__all__ = ["ForcedFailure", "Tally", "WorkerResult"]


@frozen
class ForcedFailure:
    """Why --force-cluster could not be obeyed."""

    error: RecordedError
    may_skip: bool


@frozen
class WorkerResult:
    """What a worker of pytest-xdist sends at its end."""

    usage: Usage
    left_behind: tuple[RecordedError, ...] = ()
    forced: ForcedFailure | None = None


@dataclass
class Tally:
    """What all processes of a run have used, and what went wrong with it."""

    clusters: list[ClusterUsage] = field(default_factory=list)
    failures: list[FailureUsage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_behind: list[RecordedError] = field(default_factory=list)
    """Errors of ending clusters."""
    crashed: list[str] = field(default_factory=list)
    """Workers that died; their usage comes from their records."""
    forced: ForcedFailure | None = None

    def judge(self, session: pytest.Session) -> None:
        """The run has failed if a cluster did not end in order, even if every test has passed."""
        bad = bool(self.left_behind) or (self.forced is not None and not self.forced.may_skip)
        if bad and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def add(self, usage: Usage) -> None:
        """What one process has used.

        Of a cluster that several have used there is one line in the end."""
        for one in usage.clusters:
            known = next((other for other in self.clusters if other.run == one.run), None)
            if known is None:
                self.clusters.append(one)
            else:
                _merge(known, one)
        for failure in usage.failures:
            self._add_failure(failure)
        self.notes += [note for note in usage.notes if note not in self.notes]

    def add_worker(self, result: WorkerResult) -> None:
        self.add(result.usage)
        self.left_behind += result.left_behind
        self.forced = self.forced or result.forced

    def _add_failure(self, failure: FailureUsage) -> None:
        for known in self.failures:
            if (known.profile, known.nodes, known.error.code) == (
                failure.profile,
                failure.nodes,
                failure.error.code,
            ):
                known.tests += failure.tests
                return
        self.failures.append(failure)


def _merge(known: ClusterUsage, one: ClusterUsage) -> None:
    known.tests += one.tests
    known.reuses += one.reuses
    known.heals += one.heals
    known.replacements += one.replacements
    known.scalings += one.scalings
    known.waited += one.waited
    known.nodes = max(known.nodes, one.nodes)
    known.peak_memory = max(known.peak_memory, one.peak_memory)
    known.cpu_seconds = max(known.cpu_seconds, one.cpu_seconds)
    if one.how is Obtained.STARTED:
        known.how, known.start_seconds = one.how, one.start_seconds
