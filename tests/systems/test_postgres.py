"""A PostgreSQL primary and its replicas, through psycopg."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import clusterlib
from clusterlib.operations.shell import run_own_shell
from tests.systems.conftest import System
from tests.systems.load import restarted_one_by_one_under_load

SEARCH = ("/usr/lib/postgresql/*/bin",)


@pytest.fixture
def psycopg(needs: Callable[..., ModuleType]) -> ModuleType:
    return needs("psycopg", "postgres", "initdb", "pg_basebackup", "psql", search=SEARCH)


@pytest.fixture
def query(psycopg: ModuleType) -> Callable[..., list[Any]]:
    """Asks one server one thing."""

    def ask(node: clusterlib.Node, statement: str) -> list[Any]:
        where = f"host={node.address} port={node.ports['client']} user=postgres dbname=postgres connect_timeout=10"
        with psycopg.connect(where, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return [row[0] for row in cursor.fetchall()] if cursor.description else []

    return ask


Query = Callable[..., list[Any]]


def test_what_the_primary_is_told_every_replica_knows(system: System, query: Query) -> None:
    cluster = system("postgres")
    query(cluster["postgres1"], "create table shop (item text)")

    query(cluster["postgres1"], "insert into shop values ('tea')")

    assert [query(node, "select pg_is_in_recovery()")[0] for node in cluster] == [False, True, True]
    for node in cluster:
        assert cluster.wait_until(lambda n=node: heard(query, n), 10) == ["tea"]  # type: ignore[misc]


def test_a_replica_takes_no_orders(psycopg: ModuleType, system: System, query: Query) -> None:
    cluster = system("postgres")

    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        query(cluster["postgres2"], "create table shop (item text)")


def test_a_killed_replica_catches_up(system: System, query: Query) -> None:
    cluster = system("postgres")
    cluster["postgres3"].kill()
    assert cluster.state == "degraded"
    query(cluster["postgres1"], "create table shop as select 'tea' as item")

    cluster["postgres3"].restart()

    assert cluster.state == "ready"
    assert cluster.wait_until(lambda: heard(query, cluster["postgres3"]), 10) == ["tea"]


def test_a_killed_primary_comes_back_with_all_it_had_said_yes_to(system: System, query: Query) -> None:
    cluster = system("postgres")
    query(cluster["postgres1"], "create table shop as select 'tea' as item")

    cluster["postgres1"].kill()
    assert cluster.state == "degraded"
    cluster["postgres1"].restart()

    assert cluster.state == "ready"
    assert heard(query, cluster["postgres1"]) == ["tea"]


def test_a_rolling_restart_keeps_everything(system: System, query: Query) -> None:
    cluster = system("postgres")
    query(cluster["postgres1"], "create table shop as select 'tea' as item")

    cluster.restart(rolling=True)
    assert cluster.state == "ready"

    assert [cluster.wait_until(lambda n=node: heard(query, n), 10) for node in cluster] == [["tea"]] * 3  # type: ignore[misc]


def test_what_was_taken_during_a_rolling_restart_is_at_every_server(system: System, query: Query) -> None:
    cluster = system("postgres")
    primary = cluster["postgres1"]
    query(primary, "create table shop (item int)")

    taken = restarted_one_by_one_under_load(
        cluster, lambda number: query(primary, f"insert into shop values ({number})")
    )

    for node in cluster:
        cluster.wait_until(lambda n=node: set(taken) <= set(heard(query, n)), 10)  # type: ignore[misc]


def test_a_replica_can_be_added(system: System, query: Query) -> None:
    cluster = system("postgres", nodes=2)
    query(cluster["postgres1"], "create table shop as select 'tea' as item")

    cluster.scale(3)

    assert cluster.state == "ready"
    assert cluster.wait_until(lambda: heard(query, cluster["postgres3"]), 10) == ["tea"]


def test_two_of_a_kind_know_nothing_of_each_other(system: System, query: Query) -> None:
    one, other = system("postgres", nodes=1, name="one"), system("postgres", nodes=1, name="other")
    query(one["postgres1"], "create table shop as select 'tea' as item")

    assert query(other["postgres1"], "select to_regclass('shop')::text") == [None]


def test_it_does_not_run_as_root_and_its_shell_is_psql(
    system: System, query: Query, capfd: pytest.CaptureFixture[str]
) -> None:
    cluster = system("postgres", nodes=1)

    assert run_own_shell(code="select 40 + 2 as answer", project=cluster.project) == 0

    assert "42" in capfd.readouterr().out
    data = cluster.run_folder.node("postgres1") / "data"
    assert data.stat().st_uid != 0 or os.getuid() != 0


def heard(query: Query, node: clusterlib.Node) -> list[Any]:
    """What the table holds there; nothing where that has not arrived yet."""
    if query(node, "select to_regclass('shop')::text") == [None]:
        return []
    return query(node, "select item from shop")
