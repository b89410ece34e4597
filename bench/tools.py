"""Servers that other tools start, beside ours. `pip install -e ".[bench]"` installs the tools."""

from __future__ import annotations

import functools
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Figures, Row
from bench.programs import program, run_timed
from bench.servers import need

if TYPE_CHECKING:
    from bench.rows import Bench

__all__ = ["TOOLS"]

EXTRA = "pip install -e '.[bench]'"


def _around_a_command(
    what: str, needed: str, ours: tuple[str, ...], theirs: tuple[str, ...], bench: Bench
) -> list[Row]:
    """A command that ends at once, with its servers around it, from the shell: until all ended."""
    tool = _beside_python(theirs[0])
    need(needed, f"invoke cluster.doctor {' '.join(ours[:2])}")
    invoke = _beside_python("invoke")
    we, they = [], []
    for _ in range(bench.few):
        we.append(run_timed([invoke, "cluster.run", *ours, "--", "true"], bench.project) * 1000)
        they.append(run_timed([tool, *theirs[1:], "--", "true"], bench.project) * 1000)
    return [
        Row(
            f"{theirs[2]}-{theirs[0]}",
            f"{what}, around a command: `cluster.run {' '.join(ours)} -- true` from the shell",
            "ms",
            Figures.of(we),
            None,
            Figures.of(they),
            f"`{' '.join(theirs)} -- true`",
        )
    ]


def _started_by(tool: str, bench: Bench) -> list[Row]:
    """NATS x3: from the start of our process, or of theirs, until the servers found each other."""
    _beside_python(tool)
    need("nats-server", "invoke cluster.doctor --profile nats")
    we, they = [], []
    for _ in range(bench.few):
        with bench.ours(3, "profile=nats") as running:
            we.append(running.seconds * 1000)
            running.ask("down")
        with (
            tempfile.TemporaryDirectory() as folder,
            program("bench.bare_servers", "nats", folder, tool) as running,
        ):
            they.append(running.first["seconds"] * 1000)
    return [
        Row(
            f"nats-{tool}",
            f"NATS, 3 servers with JetStream, beside {tool}: from the start of the process until formed",
            "ms",
            Figures.of(we),
            None,
            Figures.of(they),
            f"`{tool}` with the same three commands and files, asked as tightly as can be",
        )
    ]


def _beside_python(name: str) -> str:
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        raise RuntimeError(f"{name} is not installed ({EXTRA})")
    return str(path)


TOOLS: dict[str, Callable[[Bench], list[Row]]] = {
    "etcd-pifpaf": functools.partial(
        _around_a_command,
        "etcd, 3 members",
        "etcd",
        ("--profile", "etcd"),
        ("pifpaf", "run", "etcd", "--cluster"),
    ),
    "redis-pifpaf": functools.partial(
        _around_a_command,
        "Redis, a single server",
        "redis-server",
        ("--profile", "redis-sentinel", "--nodes", "1"),
        ("pifpaf", "run", "redis"),
    ),
    "nats-honcho": functools.partial(_started_by, "honcho"),
    "nats-circus": functools.partial(_started_by, "circusd"),
}
"""By the name that `--rows` takes."""
