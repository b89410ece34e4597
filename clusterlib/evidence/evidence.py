"""What a story is made from: the records, and what was collected of each run of each cluster."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

from clusterlib.evidence.artifacts import CLUSTERS, EVENTS, LOGS, PLAN_OF_A_CLUSTER, SAMPLES, STATE
from clusterlib.evidence.collecting import place_of
from clusterlib.evidence.excerpts import Excerpt, excerpt
from clusterlib.evidence.names import natural
from clusterlib.evidence.recorder import read_records, writers
from clusterlib.evidence.records import (
    LEADER,
    ClusterRefused,
    Record,
    Recorded,
    RefusalCaught,
    RunEnded,
    RunStarted,
    TestEnded,
    TestStarted,
)
from clusterlib.frozen import frozen
from clusterlib.messages.codec import salvage
from clusterlib.messages.event import Event
from clusterlib.messages.measurements import Look
from clusterlib.messages.plan import NodePlan
from clusterlib.messages.status import LastState
from clusterlib.rundir.event_files import read_events, read_looks

__all__ = [
    "ClusterRun",
    "CollectedRun",
    "Evidence",
    "PlanRead",
    "named_runs",
    "read_evidence",
]

INTERRUPTED = 2
"""Pytest's exit code after Ctrl-C, or `pytest.exit()` without a code of its own."""

R = TypeVar("R", bound=Recorded)
V = TypeVar("V")


@frozen
class RoleRead:
    nodes: tuple[NodePlan, ...] = ()


@frozen
class PlanRead:
    """The part of the plan of a run that a report shows."""

    profile: str = ""
    simulated: bool = False
    roles: tuple[RoleRead, ...] = ()

    @property
    def size(self) -> int:
        return sum(len(role.nodes) for role in self.roles)


class ClusterRun(Protocol):
    """One run of one cluster."""

    @property
    def cluster(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def folder(self) -> str:
        """The folder, relative to the report's."""

    @property
    def events(self) -> list[Event]: ...
    @property
    def samples(self) -> list[Look]: ...
    @property
    def plan(self) -> PlanRead: ...
    @property
    def plan_text(self) -> str:
        """The whole plan, for people. Empty if there is none."""

    @property
    def state(self) -> LastState: ...
    @property
    def logs(self) -> dict[str, int]:
        """The size of each node's log."""

    def said(self, node: str, begin: float, end: float, most: int) -> Excerpt: ...


@dataclass(frozen=True)
class CollectedRun:
    """The file as it is in the artifacts folder."""

    cluster: str
    path: Path
    folder: str

    @property
    def name(self) -> str:
        return self.path.name

    @cached_property
    def events(self) -> list[Event]:
        return list(read_events(EVENTS.in_(self.path)))

    @cached_property
    def samples(self) -> list[Look]:
        return list(read_looks(SAMPLES.in_(self.path)))

    @cached_property
    def plan(self) -> PlanRead:
        return _document(PLAN_OF_A_CLUSTER.in_(self.path), PlanRead)

    @cached_property
    def plan_text(self) -> str:
        try:
            return json.dumps(json.loads(PLAN_OF_A_CLUSTER.in_(self.path).read_bytes()), indent=1)
        except (OSError, ValueError):
            return ""

    @cached_property
    def state(self) -> LastState:
        return _document(STATE.in_(self.path), LastState)

    @cached_property
    def logs(self) -> dict[str, int]:
        return {log.stem: log.stat().st_size for log in sorted(LOGS.in_(self.path).glob("*.log"))}

    def said(self, node: str, begin: float, end: float, most: int) -> Excerpt:
        return excerpt(LOGS.in_(self.path) / f"{node}.log", node, begin, end, most)


@dataclass(frozen=True)
class Evidence:
    records: list[Record[Recorded]]
    runs: list[ClusterRun] = field(default_factory=list)
    alive: frozenset[str] = frozenset()
    """The workers that still run and may write records."""

    def of(self, kind: type[R]) -> Iterator[Record[R]]:
        for record in self.records:
            if isinstance(record.what, kind):
                yield Record(record.time, record.worker, record.what, record.data)

    @cached_property
    def refusals(self) -> list[Record[ClusterRefused]]:
        """The starts that failed, without those whose error a test has caught."""
        caught = list(self.of(RefusalCaught))
        return [
            refused
            for refused in self.of(ClusterRefused)
            if not any(
                one.worker == refused.worker and one.what.covers(refused, caught=one.time) for one in caught
            )
        ]

    @cached_property
    def start(self) -> Record[RunStarted] | None:
        """How the run was started: from its leader, or else from the first worker that wrote."""
        started = list(self.of(RunStarted))
        by_leader = (record for record in started if record.worker == LEADER)
        return next(by_leader, started[0] if started else None)

    @cached_property
    def ends(self) -> tuple[Record[RunEnded], ...]:
        """The ends of the processes that recorded one."""
        return tuple(self.of(RunEnded))

    @cached_property
    def interrupted(self) -> bool:
        """Whether the leader of the run stopped in a test, or says that it was interrupted."""
        leader = self.start.worker if self.start else None
        ends = [record for record in self.ends if record.worker == leader]
        if not ends:
            return False
        began = {record.what.test for record in self.of(TestStarted) if record.worker == leader}
        ended = {record.what.test for record in self.of(TestEnded)}
        return ends[-1].what.exit_code == INTERRUPTED or bool(began - ended)


def named_runs(records: Iterable[Record[Recorded]]) -> dict[Path, str]:
    """The run folders in the records, each with its cluster, in the order in which they are
    named."""
    found: dict[Path, str] = {}
    for record in records:
        for used in record.what.used():
            if used.run:
                found.setdefault(Path(used.run), used.cluster or Path(used.run).parent.name)
    return found


def read_evidence(folder: Path, records: list[Record[Recorded]] | None = None) -> Evidence:
    """Everything in an artifacts folder. `records` can be passed if they are already read."""
    records = read_records(folder) if records is None else records
    runs: dict[Path, ClusterRun] = {}
    for run, cluster in named_runs(records).items():
        place = place_of(folder, cluster, run)
        if place.is_dir():
            runs[place] = CollectedRun(cluster, place, str(place.relative_to(folder)))
    for place in sorted(CLUSTERS.in_(folder).glob("*/*/")):
        runs.setdefault(place, CollectedRun(place.parent.name, place, str(place.relative_to(folder))))
    ordered = sorted(runs.values(), key=lambda run: (natural(run.cluster), run.name))
    return Evidence(records, ordered, writers(folder))


def _document(path: Path, kind: type[V]) -> V:
    try:
        return salvage(kind, json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return kind()
