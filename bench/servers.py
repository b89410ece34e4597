"""Clusters of server programs, by the shipped profiles, beside the same processes started by one
script."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.figures import Figures, Row
from bench.programs import program
from clusterlib.hosts.programs import find_program

if TYPE_CHECKING:
    from bench.rows import Bench

__all__ = ["SERVERS", "need"]

BEYOND = 150
AT_MOST = 1.15
"""Where bare takes more than a second."""
BARE = "the same processes with the same files, started, formed and asked by one script"
FOLDERS = ("/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/postgresql@*/bin")


def need(name: str, package: str) -> None:
    """A program that is not installed is not measured."""
    if find_program(name, FOLDERS) is None:
        raise RuntimeError(f"{name} is not installed ({package})")


def _up(profile: str, nodes: int, what: str, needed: str, bench: Bench) -> list[Row]:
    need(needed, f"invoke cluster.doctor --profile {profile}")
    ours, bare, down = [], [], []
    for _ in range(bench.few):
        with bench.ours(nodes, f"profile={profile}") as running:
            ours.append(running.first["seconds"] * 1000)
            down.append(running.ask("down")["seconds"] * 1000)
        with (
            tempfile.TemporaryDirectory() as folder,
            program("bench.bare_servers", profile, folder) as running,
        ):
            bare.append(running.first["seconds"] * 1000)
    least = Figures.of(bare).median
    bar = least * AT_MOST if least > 1000 else least + BEYOND
    rule = f"{AT_MOST} x bare" if least > 1000 else f"{BEYOND} ms beyond bare"
    return [
        Row(
            f"{profile}-up",
            f"{what}: `up()` from Python, cold, until formed",
            "ms",
            Figures.of(ours),
            round(bar),
            Figures.of(bare),
            BARE,
            (f"the bar: {rule}", f"their `down` takes {Figures.of(down).median:.0f} ms"),
        )
    ]


SERVERS: dict[str, Callable[[Bench], list[Row]]] = {
    f"{profile}-up": functools.partial(_up, profile, nodes, what, needed)
    for profile, nodes, what, needed in (
        ("nats", 3, "NATS, 3 servers with JetStream", "nats-server"),
        ("etcd", 3, "etcd, 3 members", "etcd"),
        ("redis", 6, "Redis Cluster, 3 masters and 3 replicas", "redis-server"),
        ("redis-sentinel", 6, "Redis with 2 replicas and 3 sentinels", "redis-server"),
        ("postgres", 3, "PostgreSQL, a primary and 2 streaming replicas", "postgres"),
        ("rabbitmq", 3, "RabbitMQ, 3 brokers in one cluster", "rabbitmq-server"),
    )
}
"""By the name that `--rows` takes."""
