"""Operations of PostgreSQL, asked with psql."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from clusterlib.client.cluster import Cluster
from clusterlib.client.processes import Unasked
from clusterlib.errors import UsageError
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
from clusterlib.operations.showing import without_secrets
from clusterlib.remedies import do
from clusterlib.values.fields import Between

__all__ = [
    "PostgresActivity",
    "PostgresCancelled",
    "PostgresQuery",
    "PostgresReplication",
    "PostgresServer",
    "activity",
    "cancel",
    "replication",
]

SERVES = ("postgres",)
QUERIES = """
select coalesce(json_agg(json_build_object(
    'backend', pid, 'user', usename, 'database', datname, 'application', application_name,
    'state', state, 'waits_for', concat_ws(' ', wait_event_type, wait_event),
    'seconds', round(extract(epoch from clock_timestamp() - query_start)::numeric, 3), 'query', query
) order by query_start), '[]') from pg_stat_activity
where backend_type = 'client backend' and pid <> pg_backend_pid()
"""
REPLICATION = """
select json_build_object(
    'replica', pg_is_in_recovery(),
    'position', (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end)::text,
    'receiver', (select json_build_object('state', status, 'host', sender_host, 'port', sender_port)
                 from pg_stat_wal_receiver),
    'replicas', (select json_agg(json_build_object('name', application_name, 'behind',
                 pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))) from pg_stat_replication
                 where not pg_is_in_recovery()))
"""


@frozen
class PostgresQuery(Result):
    """A connection of a client, with its present query or its last one."""

    node: str
    backend: int
    """The process that serves it, by which it is cancelled."""
    user: str
    database: str
    application: str
    state: str
    waits_for: str
    seconds: float
    """Since the query began."""
    query: str


@frozen
class PostgresActivity(Result):
    cluster: str
    queries: tuple[PostgresQuery, ...]
    unasked: tuple[Unasked, ...]
    """The nodes that gave no answer, and why."""


@frozen
class PostgresCancelled(Result):
    cluster: str
    node: str
    backend: int
    closed: bool


@frozen
class PostgresServer(Result):
    node: str
    part: Literal["primary", "replica"]
    position: str
    """In the write-ahead log: written by a primary, replayed by a replica."""
    source: str | None
    """Of a replica: what it receives from, by name if it is a node of this cluster."""
    link: str
    """Of a replica: the state of its connection to the source."""
    replicas: tuple[str, ...]
    """Of a primary: those that are connected."""
    behind: int | None
    """Of a replica: bytes that its primary has written and it has not replayed. None if the primary
    does not say."""


@frozen
class PostgresReplication(Result):
    cluster: str
    servers: tuple[PostgresServer, ...]
    unasked: tuple[Unasked, ...]


@operation(effect="read", group="cluster.postgres", serves=SERVES)
def activity(cluster: Cluster, node: NodeName | None = None) -> PostgresActivity:
    """List what the clients of PostgreSQL do, at all nodes or at one, the longest first."""

    def ask(one: NodeStatus) -> list[PostgresQuery]:
        return [_query(one.name, row) for row in _asked(one, QUERIES)]

    answers = ask_servers(cluster, SERVES, node, ask)
    found = sorted((row for rows in answers.of.values() for row in rows), key=lambda row: -row.seconds)
    result = PostgresActivity(cluster.name, tuple(found), tuple(answers.unasked))
    return without_secrets(result, cluster.name, project=cluster.project)


@operation(effect="change", group="cluster.postgres", serves=SERVES)
def cancel(
    cluster: Cluster,
    node: NodeName,
    backend: Annotated[int, Between(1, 2147483647), Help("As cluster.postgres.activity lists it.")],
    *,
    close: Annotated[bool, Help("End its connection, too.")] = False,
) -> PostgresCancelled:
    """Cancel the query of one client of PostgreSQL."""
    function = "pg_terminate_backend" if close else "pg_cancel_backend"
    # The first condition keeps the server's own processes, and the question itself, out of reach.
    asked = f"""
        select coalesce(json_agg({function}(pid)), '[]') from pg_stat_activity
        where backend_type = 'client backend' and pid <> pg_backend_pid() and pid = {backend}
    """  # noqa: S608 - the name of a function from here, and a whole number
    if ask_one(cluster, SERVES, node, lambda one: _asked(one, asked)) != [True]:
        raise UsageError(
            f"{node} has no client with backend {backend}", remedies=[do("cluster.postgres.activity", node)]
        )
    return PostgresCancelled(cluster.name, node, backend, close)


@operation(effect="read", group="cluster.postgres", serves=SERVES)
def replication(cluster: Cluster, node: NodeName | None = None) -> PostgresReplication:
    """Show which nodes are primary or replica, and how far the replicas are behind."""
    names = places(served_nodes(cluster, SERVES))
    answers = ask_servers(cluster, SERVES, node, lambda one: _asked(one, REPLICATION))
    behind = {
        each["name"]: each["behind"] for answer in answers.of.values() for each in answer["replicas"] or ()
    }
    servers = tuple(_server(name, answer, names, behind) for name, answer in answers.of.items())
    return PostgresReplication(cluster.name, servers, tuple(answers.unasked))


def _asked(node: NodeStatus, query: str) -> Any:
    """The options: no settings of the user, only the value, and no question for a password."""
    words = ["-X", "-A", "-t", "-q", "-w", "-v", "ON_ERROR_STOP=1", "-c", query]
    return parsed_answer(node, ask_client(node, words))


def _query(node: str, answer: Mapping[str, Any]) -> PostgresQuery:
    return PostgresQuery(
        node=node,
        backend=answer["backend"],
        user=answer["user"] or "",
        database=answer["database"] or "",
        application=answer["application"] or "",
        state=answer["state"] or "",
        waits_for=answer["waits_for"],
        seconds=float(answer["seconds"] or 0),
        query=answer["query"] or "",
    )


def _server(
    node: str, answer: Mapping[str, Any], names: Mapping[str, str], behind: Mapping[str, int | None]
) -> PostgresServer:
    receiver = answer["receiver"] or {}
    place = f"{receiver['host']}:{receiver['port']}" if receiver else None
    return PostgresServer(
        node=node,
        part="replica" if answer["replica"] else "primary",
        position=answer["position"] or "",
        source=names.get(place, place) if place is not None else None,
        link=receiver.get("state", ""),
        replicas=tuple(sorted(each["name"] for each in answer["replicas"] or ())),
        behind=behind.get(node),
    )
