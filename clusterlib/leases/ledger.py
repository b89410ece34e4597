"""The pool's records of its clusters: how each was obtained, how it was used, and notes for the
summary."""

from __future__ import annotations

import time
from pathlib import Path

from clusterlib.client.ending import take_down
from clusterlib.errors import ClusterError
from clusterlib.evidence.records import (
    ClusterEnded,
    ClusterObtained,
    ClusterRepaired,
    RecordWriter,
)
from clusterlib.leases.pooled import PooledCluster
from clusterlib.leases.starting import StartedCluster
from clusterlib.leases.terms import Terms
from clusterlib.leases.usage import ClusterUsage, Usage
from clusterlib.messages.recorded import RecordedError
from clusterlib.messages.uses import Repaired

__all__ = ["Ledger"]


class Ledger:
    def __init__(self, project: Path, usage: Usage, record: RecordWriter) -> None:
        self._project = project
        self._usage = usage
        self._record = record

    def open(self, started: StartedCluster, terms: Terms, *, private_to: str | None = None) -> ClusterUsage:
        cluster = started.cluster
        usage = ClusterUsage(
            name=cluster.name,
            run=str(cluster.run_folder.path),
            profile=terms.profile,
            nodes=len(cluster),
            how=started.how,
            simulated=cluster.simulated,
            private=private_to is not None,
            start_seconds=round(started.seconds, 4),
            notes=list(started.notes),
        )
        self._usage.clusters.append(usage)
        self._record(
            ClusterObtained(
                cluster=cluster.name,
                run=usage.run,
                profile=terms.profile,
                nodes=usage.nodes,
                seconds=usage.start_seconds,
                how=usage.how,
                simulated=usage.simulated,
                private_to=private_to,
            )
        )
        return usage

    def replaced(self, usage: ClusterUsage, lost: ClusterError, seconds: float) -> None:
        usage.replacements += 1
        self._record(
            ClusterRepaired(usage.name, usage.run, Repaired.REPLACED, round(seconds, 4), lost.problem)
        )

    def note(self, text: str) -> None:
        if text not in self._usage.notes:
            self._usage.notes.append(text)

    def end(self, pooled: PooledCluster, error: ClusterError | None = None, *, for_all: bool = False) -> None:
        """Releases a cluster. With `for_all`, one that cannot be used any more is ended, unless it
        is borrowed.

        `error` is why it cannot be used. It is recorded as `because`: an `error` of its end would
        mean that something was left behind."""
        begun = time.monotonic()
        pooled.look()
        left: ClusterError | None = None
        try:
            pooled.end(for_all=for_all or error is not None)
        except ClusterError as trouble:
            pooled.hang_up()
            if not pooled.borrowed:
                left = self._force_down(pooled.cluster.name, trouble)
        self._record(
            ClusterEnded(
                cluster=pooled.cluster.name,
                run=str(pooled.cluster.run_folder.path),
                seconds=round(time.monotonic() - begun, 4),
                error=RecordedError.of(left) if left else None,
                because=RecordedError.of(error) if error else None,
            )
        )
        if left is not None:
            raise left

    def _force_down(self, name: str, trouble: ClusterError) -> ClusterError | None:
        """Its keeper lives but does not answer, so the name is still in use."""
        try:
            take_down(name, project=self._project)
        except ClusterError as left:
            return left
        self.note(f"cluster {name} had to be ended by force: {trouble.problem}")
        return None
