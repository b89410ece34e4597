"""What servers and Erlang nodes have stored: kept by a restart, deleted by a fresh one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from types import ModuleType

import pytest

from clusterlib.errors import NotSupported
from tests.systems.conftest import System
from tests.systems.installed import need

Needs = Callable[..., ModuleType]
POSTGRES = ("postgres", "initdb", "pg_basebackup", "psql")


def test_redis_keeps_keys_over_a_restart_and_has_none_after_a_fresh_one(needs: Needs, system: System) -> None:
    redis = needs("redis", "redis-server", "redis-cli")
    cluster = system("redis")

    def tea() -> object:
        node = cluster["redis2"]
        with closing(redis.RedisCluster(host=node.address, port=node.ports["client"])) as client:
            return client.get("tea")

    node = cluster["redis1"]
    with closing(redis.RedisCluster(host=node.address, port=node.ports["client"])) as client:
        client.set("tea", 3)

    cluster.restart()
    assert tea() == b"3"
    with pytest.raises(NotSupported):
        cluster["redis1"].restart(fresh=True)
    cluster.heal(fresh=True)
    assert cluster.state == "ready"
    assert tea() is None


def test_postgres_keeps_tables_over_a_restart_and_has_none_after_a_fresh_one(
    needs: Needs, system: System
) -> None:
    psycopg = needs("psycopg", *POSTGRES, search=("/usr/lib/postgresql/*/bin",))
    cluster = system("postgres", nodes=2)

    def ask(name: str, statement: str) -> list[tuple[object, ...]]:
        node = cluster[name]
        where = f"host={node.address} port={node.ports['client']} user=postgres dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    there = "select to_regclass('shop') is not null"
    ask("postgres1", "create table shop (item text)")

    cluster.restart()
    assert ask("postgres1", there) == [(True,)]
    cluster["postgres2"].restart(fresh=True)
    assert ask("postgres2", there) == [(True,)], "the replica has copied the primary again"
    cluster.restart(fresh=True)
    assert ask("postgres1", there) == [(False,)]
    assert ask("postgres2", there) == [(False,)]


def test_erlang_nodes_keep_files_over_a_restart_and_have_none_after_a_fresh_one(system: System) -> None:
    need("erl", "erlang-base")
    cluster = system("beam", nodes=2)
    for node in cluster:
        folder = str(cluster.run_folder.node(node.name) / "Mnesia").encode()
        node.call("filelib", "ensure_dir", [folder + b"/schema"])
        node.call("file", "write_file", [folder + b"/LATEST.LOG", b"tea"])
    logs = [cluster.run_folder.node(node.name) / "Mnesia/LATEST.LOG" for node in cluster]

    cluster.restart()
    assert all(path.read_text() == "tea" for path in logs)
    cluster["node2"].restart(fresh=True)
    assert [path.exists() for path in logs] == [True, False]
    cluster.restart(fresh=True)
    assert [path.exists() for path in logs] == [False, False]
    assert cluster.state == "ready"
