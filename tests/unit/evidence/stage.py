"""Evidence made by hand: a run of a cluster, told in a few words."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from clusterlib.evidence.building import build_story
from clusterlib.evidence.evidence import Evidence, PlanRead
from clusterlib.evidence.excerpts import Excerpt
from clusterlib.evidence.records import Record, Recorded
from clusterlib.evidence.story import PrintedLine, Story, stamp
from clusterlib.messages.codec import salvage
from clusterlib.messages.event import Event
from clusterlib.messages.measurements import Look
from clusterlib.messages.status import LastState

__all__ = [
    "DOWN",
    "KILLED",
    "OVER",
    "START",
    "STARTED",
    "UP",
    "ToldRun",
    "event",
    "failed",
    "looks",
    "ran",
    "read",
    "record",
    "story",
]

START = 1_800_000_000.0


@dataclass
class ToldRun:
    """A run that lies nowhere: what its nodes said is given."""

    cluster: str = "pytest"
    name: str = "run1"
    events: list[Event] = field(default_factory=list)
    samples: list[Look] = field(default_factory=list)
    plan: PlanRead = field(default_factory=lambda: PlanRead("dev"))
    plan_text: str = '{"profile": "dev"}'
    state: LastState = field(default_factory=LastState)
    lines: list[tuple[float, str, str]] = field(default_factory=list)

    @property
    def folder(self) -> str:
        return f"clusters/{self.cluster}/{self.name}"

    @property
    def logs(self) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for _, node, text in self.lines:
            sizes[node] = sizes.get(node, 0) + len(text) + 29
        return sizes

    def said(self, node: str, begin: float, end: float, most: int) -> Excerpt:
        found = [
            PrintedLine(START + time, who, text)
            for time, who, text in self.lines
            if who == node and begin <= START + time <= end
        ]
        return Excerpt(tuple(found[-most:]), max(0, len(found) - most))


def record(after: float, kind: str, *, worker: str = "main", **facts: Any) -> dict[str, Any]:
    return {"time": stamp(START + after), "kind": kind, "worker": worker, **facts}


def read(records: Iterable[dict[str, Any]]) -> list[Record[Recorded]]:
    """As they are read from a file."""
    return [found for one in records if (found := Record.of(json.loads(json.dumps(one)))) is not None]


def looks(samples: Iterable[dict[str, Any]]) -> list[Look]:
    return [salvage(Look, sample) for sample in samples]


def ran(
    begin: float, end: float, test: str = "tests/test_a.py::test_it", outcome: str = "passed", **facts: Any
) -> list[dict[str, Any]]:
    """A test that began and ended."""
    where = {"cluster": "pytest", "run": "/somewhere/.clusterlib/pytest/run1", "worker": "main", **facts}
    return [
        record(
            begin,
            "test.started",
            test=test,
            cluster=where["cluster"],
            run=where["run"],
            worker=where["worker"],
        ),
        record(end, "test.ended", test=test, outcome=outcome, began=stamp(START + begin), **where),
    ]


def event(at: float, kind: str, /, **facts: Any) -> Event:
    return Event.of({"number": 1, "time": stamp(START + at), "kind": kind, **facts})


def failed(after: float, problem: str = "no port is free", **facts: Any) -> dict[str, Any]:
    error = {
        "code": "ports-exhausted",
        "problem": problem,
        "cause": "all are taken",
        "evidence": ["20000 is held by pid 7 (nginx)"],
        "remedies": ["ss -ltnp"],
    }
    told = {"profile": "dev", "nodes": 3, "attempt": 1, "error": error, "next": "skip", **facts}
    return record(after, "cluster.failed", **told)


STARTED = record(0, "run.started", argv=["pytest"], project="/shop")
UP = [
    event(0.1, "cluster.starting", nodes=2, profile="dev"),
    event(0.1, "node.state", node="node1", state="starting"),
    event(0.1, "node.state", node="node2", state="starting"),
    event(0.2, "node.state", node="node1", state="ready", seconds=0.1),
    event(0.2, "node.state", node="node2", state="ready", seconds=0.1),
    event(0.2, "cluster.ready", seconds=0.1),
]
KILLED = [
    event(1.5, "fault.kill", node="node2"),
    event(
        1.5, "node.state", node="node2", state="dead", exit="killed by SIGKILL", reason="killed by SIGKILL"
    ),
]
DOWN = [
    event(9, "node.state", node="node1", state="stopping"),
    event(9.1, "node.state", node="node1", state="stopped", exit="exited with code 0"),
    event(9.1, "cluster.stopped", clean=True),
]
OVER = record(9.2, "run.ended", exit_code=1)


def story(records: list[dict[str, Any]], *runs: ToldRun, alive: frozenset[str] = frozenset()) -> Story:
    records = sorted(records, key=lambda record: record["time"])
    return build_story(Evidence(read(records), list(runs), alive))
