"""Operations of Redis, asked with redis-cli: of a Redis Cluster, and of Redis with Sentinel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from clusterlib.client.cluster import Cluster
from clusterlib.client.processes import Unasked
from clusterlib.errors import NotInTime, NotSupported, UsageError
from clusterlib.frozen import frozen
from clusterlib.messages.status import NodeStatus
from clusterlib.operations.declaring import operation
from clusterlib.operations.parameters import Help, NodeName
from clusterlib.operations.result import Result
from clusterlib.operations.servers.asking import (
    ask_client,
    ask_one,
    ask_servers,
    parsed_answer,
    places,
    served_nodes,
)
from clusterlib.remedies import do
from clusterlib.values.fields import Between
from clusterlib.waiting import Deadline, poll

__all__ = [
    "RedisClient",
    "RedisClientKilled",
    "RedisClients",
    "RedisFailover",
    "RedisMember",
    "RedisSlowlog",
    "RedisTopology",
    "SlowCommand",
    "clients",
    "failover",
    "kill_client",
    "slowlog",
    "topology",
]

TAKE_OVER_SECONDS = 10.0
SERVES = ("redis-server",)
RedisPart = Literal["master", "replica", "sentinel"]


@frozen
class RedisClient(Result):
    """A connection to a node. The question itself is one, too."""

    node: str
    client: int
    """Its id on that node."""
    address: str
    name: str
    user: str
    age: int
    """Seconds since it connected."""
    idle: int
    """Seconds since its last command."""
    database: int
    command: str
    """The last one."""


@frozen
class RedisClients(Result):
    cluster: str
    clients: tuple[RedisClient, ...]
    unasked: tuple[Unasked, ...]
    """The nodes that gave no answer, and why."""


@frozen
class SlowCommand(Result):
    node: str
    at: str
    milliseconds: float
    command: str
    address: str
    """Of the client that sent it."""
    client: str
    """The name of that client."""


@frozen
class RedisSlowlog(Result):
    cluster: str
    commands: tuple[SlowCommand, ...]
    """The slowest first."""
    unasked: tuple[Unasked, ...]


@frozen
class RedisClientKilled(Result):
    cluster: str
    node: str
    client: int


@frozen
class RedisMember(Result):
    node: str
    part: RedisPart
    master: str | None
    """Of a replica: its master, by name if it is a node of this cluster."""
    replicas: tuple[str, ...]
    """Of a master: the replicas that are connected to it."""
    link: str
    """Of a replica: the state of its connection to the master, such as `connected`."""
    offset: int | None
    """How far it has come in the stream of changes."""
    slots: str
    """Of a master in a Redis Cluster: the slots that it serves."""


@frozen
class RedisTopology(Result):
    cluster: str
    members: tuple[RedisMember, ...]
    unasked: tuple[Unasked, ...]


@frozen
class RedisFailover(Result):
    cluster: str
    master: str
    """The master now."""
    former: str


@operation(effect="read", group="cluster.redis", serves=SERVES)
def clients(cluster: Cluster, node: NodeName | None = None) -> RedisClients:
    """List the clients that are connected to Redis, at all nodes or at one."""

    def ask(one: NodeStatus) -> list[RedisClient]:
        lines = ask_client(one, ["-e", "client", "list"]).splitlines()
        return [_client(one.name, line) for line in lines if line.strip()]

    answers = ask_servers(cluster, SERVES, node, ask)
    found = tuple(row for rows in answers.of.values() for row in rows)
    return RedisClients(cluster.name, found, tuple(answers.unasked))


@operation(effect="read", group="cluster.redis", serves=SERVES)
def slowlog(
    cluster: Cluster,
    node: NodeName | None = None,
    *,
    limit: Annotated[int, Between(1, 1000), Help("Show so many of each node.")] = 20,
) -> RedisSlowlog:
    """List the slow commands that Redis has noted, at all nodes or at one, the slowest first.

    What counts as slow is a setting of Redis, slowlog-log-slower-than."""

    def ask(one: NodeStatus) -> list[SlowCommand]:
        return [_slow(one.name, entry) for entry in _asked(one, ["slowlog", "get", str(limit)])]

    answers = ask_servers(cluster, SERVES, node, ask)
    found = sorted(
        (row for rows in answers.of.values() for row in rows), key=lambda row: row.milliseconds, reverse=True
    )
    return RedisSlowlog(cluster.name, tuple(found), tuple(answers.unasked))


@operation(effect="change", group="cluster.redis", serves=SERVES)
def kill_client(
    cluster: Cluster,
    node: NodeName,
    client: Annotated[
        int, Between(1, 9007199254740991), Help("Its id on that node, as cluster.redis.clients lists it.")
    ],
) -> RedisClientKilled:
    """Close the connection of one client of Redis."""
    words = ["-e", "client", "kill", "id", str(client)]
    closed = ask_one(cluster, SERVES, node, lambda one: ask_client(one, words)).strip()
    if closed == "0":
        raise UsageError(f"{node} has no client {client}", remedies=[do("cluster.redis.clients", node)])
    return RedisClientKilled(cluster.name, node, client)


@operation(effect="read", group="cluster.redis", serves=SERVES)
def topology(cluster: Cluster, node: NodeName | None = None) -> RedisTopology:
    """Show who is master, replica or sentinel, as each node says of itself.

    Of a master: its connected replicas and its slots; of a replica: its master and its link."""
    names = places(served_nodes(cluster, SERVES))
    answers = ask_servers(cluster, SERVES, node, lambda one: _member(one, names))
    return RedisTopology(cluster.name, tuple(answers.of.values()), tuple(answers.unasked))


@operation(effect="change", group="cluster.redis", serves=SERVES)
def failover(
    cluster: Cluster,
    node: NodeName,
    *,
    group: Annotated[
        str | None, Help("Of Sentinel: the name of the master. Needed if it watches several.")
    ] = None,
) -> RedisFailover:
    """Have a replica take over from its master, while both run, and wait until it has.

    In a Redis Cluster `node` is the replica. With Sentinel it is one of the sentinels, which choose
    the replica."""
    member = topology.on(cluster, node).members[0]
    if member.part == "sentinel":
        return _by_sentinel(cluster, node, group)
    if group is not None:
        raise UsageError(
            f"{node} is no sentinel, and only a sentinel knows groups",
            remedies=[do("cluster.redis.failover", node)],
        )
    if member.part == "master":
        raise NotSupported(
            f"{node} is a master: its replicas can take over from it",
            cause=f"connected to it are {', '.join(member.replicas) or 'none'}",
            remedies=[do("cluster.redis.failover", one) for one in member.replicas],
        )
    ask_one(cluster, SERVES, node, lambda one: ask_client(one, ["-e", "cluster", "failover"]))

    def is_master() -> bool:
        return topology.on(cluster, node).members[0].part == "master"

    if not poll(is_master, Deadline(TAKE_OVER_SECONDS)):
        raise _not_taken_over(node)
    return RedisFailover(cluster.name, node, str(member.master))


def _by_sentinel(cluster: Cluster, node: str, group: str | None) -> RedisFailover:
    names = places(served_nodes(cluster, SERVES))

    def masters(one: NodeStatus) -> Mapping[str, str]:
        watched = _asked(one, ["role"])[1]
        found = {name: _asked(one, ["sentinel", "get-master-addr-by-name", name]) for name in watched}
        return {name: _named(names, *place) for name, place in found.items()}

    before = ask_one(cluster, SERVES, node, masters)
    group = _chosen_group(node, list(before), group)
    former = before[group]
    ask_one(cluster, SERVES, node, lambda one: ask_client(one, ["-e", "sentinel", "failover", group]))

    def successor() -> str:
        now = ask_one(cluster, SERVES, node, masters).get(group, former)
        return now if now != former else ""

    if not (master := poll(successor, Deadline(TAKE_OVER_SECONDS))):
        raise _not_taken_over(node)
    return RedisFailover(cluster.name, master, former)


def _chosen_group(sentinel: str, watched: Sequence[str], group: str | None) -> str:
    """The master that takes part, as the sentinel calls it."""
    if group in watched:
        return str(group)
    if not watched:
        raise NotSupported(
            f"{sentinel} watches no master",
            cause="a sentinel learns of its masters from its configuration, or from SENTINEL MONITOR",
            remedies=[do("cluster.logs", sentinel)],
        )
    if group is None and len(watched) == 1:
        return watched[0]
    raise UsageError(
        f"{sentinel} watches {len(watched)} masters" if group is None else f"{sentinel} watches no {group!r}",
        cause=f"it watches {', '.join(sorted(watched))}",
        remedies=[do("cluster.redis.failover", sentinel, group=one) for one in sorted(watched)],
    )


def _not_taken_over(node: str) -> NotInTime:
    return NotInTime(
        f"no replica has taken over within {TAKE_OVER_SECONDS:g} s",
        remedies=[do("cluster.redis.topology"), do("cluster.logs", node)],
    )


def _asked(node: NodeStatus, words: Sequence[str]) -> Any:
    return parsed_answer(node, ask_client(node, ["-e", "--json", *words]))


def _client(node: str, line: str) -> RedisClient:
    """Of a line `id=3 addr=127.0.0.1:4444 name= age=1 ...`; newer servers write more."""
    values = dict(word.partition("=")[::2] for word in line.split(" "))
    return RedisClient(
        node=node,
        client=int(values["id"]),
        address=values["addr"],
        name=values.get("name", ""),
        user=values.get("user", ""),
        age=int(values["age"]),
        idle=int(values["idle"]),
        database=int(values["db"]),
        command=values.get("cmd", ""),
    )


def _slow(node: str, entry: Sequence[Any]) -> SlowCommand:
    """Of `[number, time, microseconds, words, address, name]`."""
    _, at, microseconds, words, address, name, *_ = [*entry, "", ""]
    return SlowCommand(
        node=node,
        at=datetime.fromtimestamp(at, UTC).isoformat(),
        milliseconds=microseconds / 1000,
        command=" ".join(map(str, words)),
        address=str(address),
        client=str(name),
    )


def _member(node: NodeStatus, names: Mapping[str, str]) -> RedisMember:
    """By its answer to ROLE, which begins with what it is."""
    part, *details = _asked(node, ["role"])
    if part == "sentinel":
        return RedisMember(node.name, "sentinel", None, (), "", None, "")
    if part == "slave":
        address, port, link, offset = details
        return RedisMember(node.name, "replica", _named(names, address, port), (), link, offset, "")
    offset, replicas = details
    connected = tuple(_named(names, address, port) for address, port, *_ in replicas)
    return RedisMember(node.name, "master", None, connected, "", offset, _slots(node))


def _slots(node: NodeStatus) -> str:
    """Empty for a Redis that is no Redis Cluster."""
    if "cluster_enabled:1" not in ask_client(node, ["-e", "info", "cluster"]):
        return ""
    lines = ask_client(node, ["-e", "cluster", "nodes"]).splitlines()
    own = next((line.split() for line in lines if "myself" in line), [])
    return " ".join(word for word in own[8:] if not word.startswith("["))


def _named(names: Mapping[str, str], address: str, port: int | str) -> str:
    return names.get(f"{address}:{port}", f"{address}:{port}")
