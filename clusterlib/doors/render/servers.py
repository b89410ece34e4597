"""What servers have answered, and which nodes gave no answer."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from clusterlib.doors.render.listed import derived
from clusterlib.doors.render.pieces import unasked

if TYPE_CHECKING:
    from clusterlib.doors.console import Console
    from clusterlib.operations.servers.etcd import EtcdLeader, EtcdMoved
    from clusterlib.operations.servers.postgres import PostgresCancelled
    from clusterlib.operations.servers.redis import RedisClientKilled, RedisFailover

__all__ = [
    "etcd_leader",
    "etcd_moved",
    "postgres_cancelled",
    "redis_client_killed",
    "redis_failover",
    "server_answers",
]

SHOWN_OTHERWISE = frozenset({"cluster", "unasked"})


def server_answers(console: Console, result: Any) -> None:
    """Of any result that has rows in one field, and the nodes without an answer in `unasked`."""
    for one in fields(result):
        if one.name in SHOWN_OTHERWISE:
            continue
        rows = getattr(result, one.name)
        if rows:
            derived(console, rows)
        else:
            console.note(f"no {one.name.replace('_', ' ')}")
    unasked(console, result.unasked)


def etcd_leader(console: Console, result: EtcdLeader) -> None:
    following = ", ".join(result.followers) or "no other node that answers"
    if result.node is None:
        console.line(f"the members agree on no leader in term {result.term}")
    else:
        console.line(f"{result.node} leads in term {result.term}, followed by {following}")
    if result.node is not None and result.others:
        console.note(f"{', '.join(result.others)} does not follow it")
    unasked(console, result.unasked)


def etcd_moved(console: Console, result: EtcdMoved) -> None:
    after = "as before" if result.former == result.node else f"after {result.former}"
    console.line(f"{result.node} leads in term {result.term}, {after}")


def postgres_cancelled(console: Console, result: PostgresCancelled) -> None:
    what = "closed the connection of" if result.closed else "cancelled the query of"
    console.line(f"{result.node} has {what} backend {result.backend}")


def redis_client_killed(console: Console, result: RedisClientKilled) -> None:
    console.line(f"{result.node} has closed the connection of client {result.client}")


def redis_failover(console: Console, result: RedisFailover) -> None:
    console.line(f"{result.master} is master after {result.former}")
