"""What a run of tests gets from its caller: a display for the user, and examinations of the
machine and of clusters."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from clusterlib.evidence.records import HealthRecorded
from clusterlib.messages.event import Event
from clusterlib.messages.findings import Finding

__all__ = ["ClusterFound", "Display", "Examiner", "MachineFound"]


class Display(Protocol):
    """Shows what happens while tests run."""

    def event(self, event: Event) -> None:
        """Takes an event of a cluster that a test waits for."""
        ...

    def say(self, text: str) -> None:
        """Shows a line to users who want to see everything."""
        ...

    def waiting(self, who: str, what: str) -> AbstractContextManager[None]:
        """During this block, `who` waits for `what`."""
        ...


class MachineFound(Protocol):
    """What a look at the machine has found."""

    @property
    def profile(self) -> str: ...

    @property
    def findings(self) -> tuple[Finding, ...]: ...


class ClusterFound(Protocol):
    """What a look at a cluster has found."""

    def recorded(self, run: str) -> HealthRecorded:
        """As the run records it. `run`: the folder of the cluster's run."""
        ...


class Examiner(Protocol):
    """Examines the machine before clusters start, and clusters before they end.

    Both raise ClusterError."""

    def machine(self, profile: str, project: Path) -> MachineFound: ...

    def health(self, cluster: str, project: Path) -> ClusterFound: ...
