"""The operations of PostgreSQL, on a real primary and its replicas."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest

import clusterlib
from clusterlib.errors import NotSupported, UsageError
from tests.systems.conftest import System
from tests.systems.server_operations import check_missing_nodes
from tests.systems.test_postgres import SEARCH


@pytest.fixture
def psycopg(needs: Callable[..., ModuleType]) -> ModuleType:
    return needs("psycopg", "postgres", "initdb", "pg_basebackup", "psql", search=SEARCH)


def connected(psycopg: ModuleType, node: clusterlib.Node, application: str) -> Any:
    return psycopg.connect(
        host=node.address,
        port=node.ports["client"],
        user="postgres",
        dbname="postgres",
        application_name=application,
        connect_timeout=10,
        autocommit=True,
    )


def of(cluster: clusterlib.Cluster, application: str) -> Any:
    """What this client does, once it is seen."""

    def seen() -> Any:
        queries = cluster.postgres.activity().queries
        return next((one for one in queries if one.application == application), None)

    return cluster.wait_until(seen, 15, f"{application} is seen")


def test_a_query_is_seen_with_its_node_and_cancelled(psycopg: ModuleType, system: System) -> None:
    cluster = system("postgres")
    with connected(psycopg, cluster["postgres2"], "shop") as client, ThreadPoolExecutor(1) as threads:
        asked = threads.submit(client.execute, "select pg_sleep(600)")
        cluster.wait_until(lambda: of(cluster, "shop").state == "active", 15)
        query = of(cluster, "shop")
        assert (query.node, query.query, query.user) == ("postgres2", "select pg_sleep(600)", "postgres")
        assert cluster.postgres.activity("postgres1").queries == ()

        done = cluster.postgres.cancel("postgres2", query.backend)

        assert (done.node, done.closed) == ("postgres2", False)
        assert isinstance(asked.exception(15), psycopg.errors.QueryCanceled)
        assert client.execute("select 1").fetchone() == (1,)


def test_the_connection_of_a_client_is_closed_on_request(psycopg: ModuleType, system: System) -> None:
    cluster = system("postgres", nodes=1)
    client = connected(psycopg, cluster["postgres1"], "shop")
    backend = of(cluster, "shop").backend

    assert cluster.postgres.cancel("postgres1", backend, close=True).closed

    with pytest.raises(psycopg.OperationalError):
        client.execute("select 1")
    with pytest.raises(UsageError, match=f"postgres1 has no client with backend {backend}"):
        cluster.postgres.cancel("postgres1", backend)
    assert cluster.status().dirty == ()


def test_replicas_and_their_primary_name_each_other(psycopg: ModuleType, system: System) -> None:
    cluster = system("postgres")

    found = {one.node: one for one in cluster.postgres.replication().servers}

    assert [one.part for one in found.values()] == ["primary", "replica", "replica"]
    assert found["postgres1"].replicas == ("postgres2", "postgres3")
    assert found["postgres2"].source == found["postgres3"].source == "postgres1"
    assert found["postgres3"].link == "streaming"

    def caught_up() -> bool:
        return all(one.behind == 0 for one in cluster.postgres.replication().servers[1:])

    cluster.wait_until(caught_up, 15, "the replicas have replayed all")


def test_a_dead_and_a_hanging_server_are_named(psycopg: ModuleType, system: System) -> None:
    cluster = system("postgres")
    with pytest.raises(NotSupported, match="cannot be used"):
        cluster.redis.clients()

    check_missing_nodes(cluster, "postgres", "postgres2", "postgres3")
