"""The health of an Erlang node, from its own report and from its work.

    connectivity  ping, rpc, cookie (a new handshake)
    application   applications (they run), serving (their supervisors and servers respond),
                  operations, log
    cluster       formed (it sees every other), reach (a process on its neighbour answers, how soon)
    limits        processes, atoms, run queue

This module judges; `examining` asks. The keeper adds what it measures: memory and cpu."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from clusterlib.messages.findings import Finding, failed, ok, skipped, warning
from clusterlib.remedies import do

__all__ = [
    "COLUMNS",
    "cookie",
    "formed",
    "log",
    "look",
    "operations",
    "reach",
    "rpc",
    "serving",
    "unreachable",
]

COLUMNS: Final = (
    ("connectivity", "ping"),
    ("connectivity", "rpc"),
    ("connectivity", "cookie"),
    ("application", "applications"),
    ("application", "serving"),
    ("application", "operations"),
    ("application", "log"),
    ("cluster", "formed"),
    ("cluster", "reach"),
    ("limits", "processes"),
    ("limits", "atoms"),
    ("limits", "run queue"),
)
NEAR: Final = 0.8
"""Share of a limit. A node that reaches the limit itself ends, or refuses work."""
LONG_QUEUE: Final = 50
"""Processes that wait for each scheduler."""
SHOWN: Final = 5


def unreachable(why: str, name: str) -> dict[str, Finding]:
    found = {column: skipped(column, "not reachable") for _, column in COLUMNS}
    return found | {"ping": failed("ping", why, *_look(name))}


def rpc(answer: Any, name: str) -> Finding:
    return ok("rpc", "ok") if answer == 42 else failed("rpc", f"40 + 2 is {answer!r} there", *_look(name))


def cookie(refused: str | None, name: str) -> Finding:
    """`refused` is the reason why the new handshake failed."""
    if refused is None:
        return ok("cookie", "ok")
    return failed("cookie", refused, do("cluster.restart", name), do("cluster.logs", name))


def look(answer: Mapping[Any, Any], wanted: Sequence[str], name: str) -> dict[str, Finding]:
    """`answer` is the node's answer to `clusterlib_node:look/0`."""
    facts = {str(key): value for key, value in answer.items()}
    return {
        "applications": _applications(facts["applications"], wanted, name),
        "processes": _limit("processes", facts["processes"], facts["process_limit"], "+P"),
        "atoms": _limit("atoms", facts["atoms"], facts["atom_limit"], "+t"),
        "run queue": _queue(facts["run_queue"], facts["schedulers"], name),
    }


def serving(silent: Sequence[str], name: str) -> Finding:
    """`silent` are the servers that did not respond."""
    if silent:
        return failed("serving", f"no sign of life from {_some(silent)}", *_look(name))
    return ok("serving", "ok")


def operations(doer: str, same: bool, node: str) -> Finding:
    """Whether the node does work that is sent to it and returns what was sent."""
    name = node.partition("@")[0]
    if doer != node:
        return failed("operations", f"work for {node} was done by {doer}", *_look(name))
    if not same:
        return failed("operations", "what comes back is not what was sent", *_look(name))
    return ok("operations", "ok")


def log(complaint: str | None, name: str) -> Finding:
    if complaint is None:
        return ok("log", "ok")
    return warning("log", complaint, do("cluster.logs", name))


def formed(seen: frozenset[str], wanted: frozenset[str]) -> Finding:
    missing = sorted(wanted - seen)
    figures = f"{len(wanted) - len(missing)}/{len(wanted)}"
    if not missing:
        return ok("formed", figures)
    return failed("formed", f"{figures}: it does not see {_some(missing)}", do("cluster.restart", missing[0]))


def reach(peer: str, seconds: float | None, problem: str, name: str) -> Finding:
    """Seconds for a process to start on the neighbour, answer and end, by the node's own clock.
    None if it did not."""
    if seconds is None:
        return failed("reach", f"{peer} does not answer it: {problem}", *_look(name))
    return ok("reach", f"{seconds * 1000:.2f} ms")


def _look(name: str) -> tuple[str, str]:
    return do("cluster.logs", name), do("cluster.restart", name)


def _applications(running: Sequence[tuple[Any, Any]], wanted: Sequence[str], name: str) -> Finding:
    names = [str(application) for application, _ in running]
    stopped = [application for application in wanted if application not in names]
    if stopped:
        return failed("applications", f"not running: {', '.join(stopped)}", *_look(name))
    return ok("applications", f"{len(names)} running")


def _limit(column: str, used: int, limit: int, flag: str) -> Finding:
    figures = f"{used} of {limit}"
    if used < NEAR * limit:
        return ok(column, figures)
    return warning(
        column, figures, f"look for what makes so many, or raise {flag} in templates/beam/vm.args.j2"
    )


def _queue(waiting: int, schedulers: int, name: str) -> Finding:
    figures = f"{waiting} waiting, {schedulers} schedulers"
    if waiting <= LONG_QUEUE * schedulers:
        return ok("run queue", figures)
    return warning("run queue", figures, do("cluster.shell", name), "raise +S in templates/beam/vm.args.j2")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
