"""How the answer of a command is printed: a function for each kind of result, or by its type."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clusterlib.doors.documents import document_of
from clusterlib.doors.render.examine import diagnosis, health
from clusterlib.doors.render.life import (
    cleaned,
    disturbed,
    foreseen,
    restarted,
    scaled,
    started,
    status,
    stopped,
    synchronised,
)
from clusterlib.doors.render.listed import derived, operations
from clusterlib.doors.render.load import load, load_tick
from clusterlib.doors.render.observe import activities, flame_graph_written
from clusterlib.doors.render.profiles import checks, profile, profile_schema, profiles
from clusterlib.doors.render.servers import (
    etcd_leader,
    etcd_moved,
    postgres_cancelled,
    redis_client_killed,
    redis_failover,
    server_answers,
)
from clusterlib.doors.render.use import (
    cluster_events,
    evaluated,
    followed,
    followed_events,
    logs,
    ran,
    ready,
    reported,
    served,
    serving,
)
from clusterlib.operations.result import Result

if TYPE_CHECKING:
    from clusterlib.doors.console import Console
    from clusterlib.operations.shell import NodeShell

__all__ = ["answer", "aside"]


def _prompted(console: Console, session: NodeShell) -> int:
    """A conversation with a node."""
    from clusterlib.doors.prompt import Prompt

    with session:
        prompt = Prompt(console, session)
        return (prompt.talk() if sys.stdin.isatty() else prompt.read(sys.stdin)) or 0


def _of_processes(console: Console, result: object) -> None:
    """Imported for those who ask for it: all other commands would wait for it, too."""
    from clusterlib.doors.render.processes import PICTURES_OF_PROCESSES

    PICTURES_OF_PROCESSES[type(result).__name__](console, result)


PICTURES: dict[str, Callable[[Console, Any], None]] = {
    "Checks": checks,
    "Cleaned": cleaned,
    "ClusterEvents": cluster_events,
    "CommandReady": ready,
    "Diagnosis": diagnosis,
    "Disturbed": disturbed,
    "EtcdLeader": etcd_leader,
    "EtcdMoved": etcd_moved,
    "EtcdStatus": server_answers,
    "Evaluated": evaluated,
    "FlameGraphWritten": flame_graph_written,
    "Foreseen": foreseen,
    "Health": health,
    "LoadResult": load,
    "LoadTick": load_tick,
    "Logs": logs,
    "NodeActivities": activities,
    "Operations": operations,
    "PlannedTests": lambda *_: None,
    "PostgresActivity": server_answers,
    "PostgresCancelled": postgres_cancelled,
    "PostgresReplication": server_answers,
    "ProcessChanged": _of_processes,
    "ProcessList": _of_processes,
    "ProcessNames": _of_processes,
    "ProcessRegistries": _of_processes,
    "ProcessShown": _of_processes,
    "ProcessStarted": _of_processes,
    "ProcessTrees": _of_processes,
    "Profiles": profiles,
    "Ran": ran,
    "RedisClientKilled": redis_client_killed,
    "RedisClients": server_answers,
    "RedisFailover": redis_failover,
    "RedisSlowlog": server_answers,
    "RedisTopology": server_answers,
    "Reported": reported,
    "Restarted": restarted,
    "Scaled": scaled,
    "Serving": serving,
    "Shown": profile,
    "Started": started,
    "Status": status,
    "Stopped": stopped,
    "Synchronised": synchronised,
}
"""By the class of the result. All others are shown by their type."""
CONVERSATIONS: dict[str, Callable[[Console, Any], int]] = {
    "FollowedEvents": followed_events,
    "LogView": followed,
    "NodeShell": _prompted,
    "ProjectServer": served,
    "OwnShellEnded": lambda _, ended: int(ended.exit_code),
    "ProfileSchema": profile_schema,
}
"""Results that are not a document: a stream, a prompt. Each returns the exit code."""


def answer(console: Console, result: object) -> int:
    """Prints the result of a command, and returns its exit code."""
    kind = _kind(result)
    if kind in CONVERSATIONS:
        return CONVERSATIONS[kind](console, result)
    document = document_of(result)
    picture = result if kind else document
    console.answer(document, lambda: PICTURES.get(kind, derived)(console, picture))
    return result.exit_status if isinstance(result, Result) else 0


def aside(console: Console, result: object) -> None:
    """Shows a result that is there before the end, to people only."""
    if not console.json:
        PICTURES.get(_kind(result), derived)(console, result)


def _kind(result: object) -> str:
    """The name of its class, if it is one of clusterlib's."""
    kind = type(result)
    return kind.__name__ if kind.__module__.startswith("clusterlib.") else ""
