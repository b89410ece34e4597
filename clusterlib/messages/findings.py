"""The result of a check: its outcome, the evidence, and remedies."""

from __future__ import annotations

from enum import StrEnum

from clusterlib.frozen import frozen

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
    remedies: tuple[str, ...] = ()
    """Each can be pasted into a shell."""


def ok(name: str, evidence: str) -> Finding:
    return Finding(name, CheckOutcome.OK, evidence)


def warning(name: str, evidence: str, *remedies: str) -> Finding:
    return Finding(name, CheckOutcome.WARNING, evidence, remedies)


def failed(name: str, evidence: str, *remedies: str) -> Finding:
    return Finding(name, CheckOutcome.FAILED, evidence, remedies)


def skipped(name: str, evidence: str) -> Finding:
    return Finding(name, CheckOutcome.SKIPPED, evidence)
