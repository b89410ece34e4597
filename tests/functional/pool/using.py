"""What the stories of the pool are told with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import clusterlib
from clusterlib.evidence.records import Recorded
from clusterlib.leases.need import Need
from clusterlib.leases.pool import Pool
from clusterlib.messages.codec import plain
from clusterlib.messages.status import ClusterStatus

Up = Callable[..., clusterlib.Cluster]
MakePool = Callable[..., Pool]
SMALL: dict[str, object] = {"nodes.count": 2}
QUICK: dict[str, object] = {**SMALL, "retry.attempts": 2, "retry.first": 0.01, "tests.strict": "never"}


class Records(list[dict[str, Any]]):
    """What the pool told, step by step."""

    def __call__(self, what: Recorded) -> None:
        self.append(json.loads(json.dumps({"kind": what.kind, **plain(what)})))  # it must be fit for a file

    def of(self, kind: str, fact: str) -> list[Any]:
        return [record[fact] for record in self if record["kind"] == kind]


def use(pool: Pool, need: Need | None = None, who: str = "a test", **wanted: Any) -> ClusterStatus:
    """One test that does nothing. Gives the status of the cluster it was given."""
    held = pool.acquire(need or Need(**wanted), who)
    held.release()
    return held.status


def size(status: ClusterStatus) -> int:
    return len(status.nodes)


def pids(status: ClusterStatus) -> list[int | None]:
    return [node.pid for node in status.nodes]


def write_app(project: Path, body: str) -> dict[str, object]:
    (project / "app.py").write_text(f"import os, pathlib, threading\ndef main():\n    {body}\n")
    return {**QUICK, "python.app": "app:main", "timeouts.stop": 0.2}
