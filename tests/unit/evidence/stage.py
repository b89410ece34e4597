"""Evidence made by hand: a run of a cluster, told in a few words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from clusterlib.evidence.excerpts import Excerpt
from clusterlib.evidence.story import Line, stamp
from clusterlib.messages.event import Event

__all__ = ["START", "ToldRun", "event", "failed", "ran", "record"]

START = 1_800_000_000.0


@dataclass
class ToldRun:
    """A run that lies nowhere: what its nodes said is given."""

    cluster: str = "pytest"
    name: str = "run1"
    events: list[Event] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    plan: dict[str, Any] = field(default_factory=lambda: {"profile": "dev"})
    state: dict[str, Any] = field(default_factory=dict)
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
            Line(START + time, who, text)
            for time, who, text in self.lines
            if who == node and begin <= START + time <= end
        ]
        return Excerpt(tuple(found[-most:]), max(0, len(found) - most))


def record(after: float, kind: str, *, worker: str = "main", **facts: Any) -> dict[str, Any]:
    return {"time": stamp(START + after), "kind": kind, "worker": worker, **facts}


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
