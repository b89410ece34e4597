"""What the clusters of a run have cost and done, for the summary at its end.

Plain values, which workers send as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field

from clusterlib.errors import ClusterError
from clusterlib.messages.recorded import RecordedError
from clusterlib.messages.uses import Obtained

__all__ = ["ClusterUsage", "FailureUsage", "Usage"]


@dataclass(slots=True)
class ClusterUsage:
    """One run of one cluster, as far as this process used it."""

    name: str
    run: str
    profile: str
    nodes: int
    how: Obtained
    simulated: bool = False
    private: bool = False
    start_seconds: float = 0.0
    tests: int = 0
    reuses: int = 0
    heals: int = 0
    replacements: int = 0
    scalings: int = 0
    waited: float = 0.0
    """Seconds that tests waited for their turn."""
    peak_memory: int = 0
    """The largest amount of memory of all its nodes together, in bytes."""
    cpu_seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class FailureUsage:
    """A cluster that was not available, and the number of affected tests."""

    profile: str
    nodes: int
    error: RecordedError
    may_skip: bool
    attempts: int
    tests: int = 0


@dataclass(slots=True)
class Usage:
    clusters: list[ClusterUsage] = field(default_factory=list)
    failures: list[FailureUsage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Notes for the summary, for example a running cluster that did not fit."""

    def forget_one(self, error: RecordedError) -> None:
        """The last one to get this error was not a test."""
        for failure in reversed(self.failures):
            if failure.error == error:
                failure.tests -= 1
                return

    def forget_caught(self, error: ClusterError) -> None:
        """The last test that got this error has handled it."""
        recorded = RecordedError.of(error)
        self.forget_one(recorded)
        self.failures[:] = [one for one in self.failures if one.tests or one.error != recorded]
