"""The result of a check: its outcome, the evidence, and remedies."""

from __future__ import annotations

from enum import StrEnum

from clusterlib.frozen import frozen
from clusterlib.remedies import Remedy

__all__ = ["CheckOutcome", "Finding", "failed", "ok", "skipped", "warning"]


class CheckOutcome(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@frozen
class Finding:
    name: str
    outcome: CheckOutcome
    evidence: str = ""
    remedies: tuple[Remedy, ...] = ()

    def of_profile(self, profile: str) -> Finding:
        """The same with remedies for that profile."""
        remedies = tuple(remedy.of_profile(profile) for remedy in self.remedies)
        return Finding(self.name, self.outcome, self.evidence, remedies)


def ok(name: str, evidence: str) -> Finding:
    return Finding(name, CheckOutcome.OK, evidence)


def warning(name: str, evidence: str, *remedies: str) -> Finding:
    return Finding(name, CheckOutcome.WARNING, evidence, tuple(map(Remedy.of, remedies)))


def failed(name: str, evidence: str, *remedies: str) -> Finding:
    return Finding(name, CheckOutcome.FAILED, evidence, tuple(map(Remedy.of, remedies)))


def skipped(name: str, evidence: str) -> Finding:
    return Finding(name, CheckOutcome.SKIPPED, evidence)
