"""Examines the machine and clusters for the evidence of a test run.

Imports are delayed until then."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clusterlib.operations.doctor import Diagnosis
    from clusterlib.operations.health import Health

__all__ = ["OperationsExaminer"]


class OperationsExaminer:
    """By the operations `doctor` and `health`."""

    def machine(self, profile: str, project: Path) -> Diagnosis:
        from clusterlib.operations.doctor import examine_machine

        return examine_machine(profile, project=project)

    def health(self, cluster: str, project: Path) -> Health:
        from clusterlib.operations.health import examine_health

        return examine_health(cluster, project=project)
