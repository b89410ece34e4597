"""What is found out about the health of an Erlang node, by its own account of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from clusterlib.health.findings import Finding, failed, ok, skipped, warning

__all__ = ["COLUMNS", "judge", "unreachable"]

COLUMNS: Final = (
    ("connectivity", "answering"),
    ("cluster", "joined"),
    ("application", "applications"),
    ("limits", "processes"),
    ("limits", "atoms"),
    ("limits", "run queue"),
)
NEAR: Final = 0.8
"""Of a limit: a node that reaches one ends, or refuses."""
LONG_QUEUE: Final = 50
"""Processes that wait for each scheduler."""


def judge(
    told: Mapping[Any, Any], seconds: float, missing: Sequence[str], wanted: Sequence[str], name: str
) -> dict[str, Finding]:
    """`told` is the node's answer to `clusterlib_node:look/0`; `missing` the nodes it does not see."""
    facts = {str(key): value for key, value in told.items()}
    return {
        "answering": ok("answering", f"{seconds * 1000:.1f} ms"),
        "joined": _joined(missing, len(facts["nodes"]) + 1, name),
        "applications": _applications(facts["applications"], wanted, name),
        "processes": _limit("processes", facts["processes"], facts["process_limit"], "+P"),
        "atoms": _limit("atoms", facts["atoms"], facts["atom_limit"], "+t"),
        "run queue": _queue(facts["run_queue"], facts["schedulers"]),
    }


def unreachable(why: str, name: str) -> dict[str, Finding]:
    found = {column: skipped(column, "not reachable") for _, column in COLUMNS}
    look = (f"invoke cluster.logs {name}", f"invoke cluster.restart {name}")
    return found | {"answering": failed("answering", why, *look)}


def _joined(missing: Sequence[str], seen: int, name: str) -> Finding:
    if not missing:
        return ok("joined", f"sees {seen}")
    return failed("joined", f"does not see {', '.join(missing)}", f"invoke cluster.restart {name}")


def _applications(running: Sequence[tuple[Any, Any]], wanted: Sequence[str], name: str) -> Finding:
    names = [str(application) for application, _ in running]
    stopped = [application for application in wanted if application not in names]
    if stopped:
        told = f"not running: {', '.join(stopped)}"
        return failed("applications", told, f"invoke cluster.logs {name}", f"invoke cluster.restart {name}")
    return ok("applications", f"{len(names)} running")


def _limit(column: str, used: int, limit: int, flag: str) -> Finding:
    told = f"{used} of {limit}"
    if used < NEAR * limit:
        return ok(column, told)
    return warning(column, told, f"look for what makes so many, or raise {flag} in templates/beam/vm.args.j2")


def _queue(waiting: int, schedulers: int) -> Finding:
    told = f"{waiting} waiting, {schedulers} schedulers"
    return ok("run queue", told) if waiting <= LONG_QUEUE * schedulers else warning("run queue", told)
