"""What there is to tell a story from: the records, and what was collected of each run of each cluster."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from clusterlib.evidence.collecting import CLUSTERS, place_of
from clusterlib.evidence.excerpts import Excerpt, excerpt
from clusterlib.evidence.facts import natural
from clusterlib.evidence.recorder import LEADER, Record, clusters_in, read_records, writers
from clusterlib.messages.event import Event
from clusterlib.rundir.diary import read_events, read_lines

__all__ = ["CollectedRun", "Evidence", "Run", "named_runs", "read_evidence"]


class Run(Protocol):
    """One life of one cluster."""

    @property
    def cluster(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def folder(self) -> str:
        """From the report's place."""

    @property
    def events(self) -> list[Event]: ...
    @property
    def samples(self) -> list[dict[str, Any]]: ...
    @property
    def plan(self) -> dict[str, Any]: ...
    @property
    def state(self) -> dict[str, Any]: ...
    @property
    def logs(self) -> dict[str, int]:
        """The size of each node's log."""

    def said(self, node: str, begin: float, end: float, most: int) -> Excerpt: ...


@dataclass(frozen=True)
class CollectedRun:
    """As it lies in the artifacts folder."""

    cluster: str
    path: Path
    folder: str

    @property
    def name(self) -> str:
        return self.path.name

    @cached_property
    def events(self) -> list[Event]:
        return list(read_events(self.path / "events.jsonl"))

    @cached_property
    def samples(self) -> list[dict[str, Any]]:
        return list(read_lines(self.path / "samples.jsonl"))

    @cached_property
    def plan(self) -> dict[str, Any]:
        return _document(self.path / "plan.json")

    @cached_property
    def state(self) -> dict[str, Any]:
        return _document(self.path / "state.json")

    @cached_property
    def logs(self) -> dict[str, int]:
        return {log.stem: log.stat().st_size for log in sorted((self.path / "logs").glob("*.log"))}

    def said(self, node: str, begin: float, end: float, most: int) -> Excerpt:
        return excerpt(self.path / "logs" / f"{node}.log", node, begin, end, most)


@dataclass(frozen=True)
class Evidence:
    records: list[Record]
    runs: list[Run] = field(default_factory=list)
    alive: frozenset[str] = frozenset()
    """The workers that are still there to write records."""

    def of(self, *kinds: str) -> Iterator[Record]:
        return (record for record in self.records if record["kind"] in kinds)

    @property
    def start(self) -> Record:
        """How the run was started: told by who leads it, however many workers it has, and whichever was the first to write."""
        started = list(self.of("run.started"))
        return next(
            (record for record in started if record["worker"] == LEADER), started[0] if started else {}
        )


def named_runs(records: Iterable[Record]) -> dict[Path, str]:
    """The run folders that the records name, each with its cluster, in the order they are named."""
    found: dict[Path, str] = {}
    for record in records:
        for cluster, run in clusters_in(record):
            if run:
                found.setdefault(Path(run), cluster or Path(run).parent.name)
    return found


def read_evidence(folder: Path, records: list[Record] | None = None) -> Evidence:
    """All that lies in an artifacts folder; `records` where they have been read already."""
    records = read_records(folder) if records is None else records
    runs: dict[Path, Run] = {}
    for run, cluster in named_runs(records).items():
        place = place_of(folder, cluster, run)
        if place.is_dir():
            runs[place] = CollectedRun(cluster, place, str(place.relative_to(folder)))
    for place in sorted((folder / CLUSTERS).glob("*/*/")):
        runs.setdefault(place, CollectedRun(place.parent.name, place, str(place.relative_to(folder))))
    ordered = sorted(runs.values(), key=lambda run: (natural(run.cluster), run.name))
    return Evidence(records, ordered, writers(folder))


def _document(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
