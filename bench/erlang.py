"""Clusters of Erlang nodes, and calls to them, beside bare nodes and `erl_call`."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.figures import Figures, Row
from bench.programs import program

if TYPE_CHECKING:
    from bench.rows import Bench

__all__ = ["calls", "up_five", "up_three"]

BARE = "the same `erl` processes with an epmd of their own, started by one script"
CALLS = 2000
PROCESSES = 50


def up_three(bench: Bench) -> list[Row]:
    return _up(bench, 3)


def up_five(bench: Bench) -> list[Row]:
    return _up(bench, 5)


def _up(bench: Bench, nodes: int) -> list[Row]:
    _needs("erl", "epmd")
    ours, bare, down, down_bare = [], [], [], []
    for _ in range(bench.few):
        with bench.ours(nodes, "profile=beam") as running:
            ours.append(running.first["seconds"] * 1000)
            down.append(running.ask("down")["seconds"] * 1000)
        with (
            tempfile.TemporaryDirectory() as folder,
            program("bench.bare_erlang", folder, str(nodes)) as running,
        ):
            bare.append(running.first["seconds"] * 1000)
            down_bare.append(running.ask("down")["seconds"] * 1000)
    bar = Figures.of(bare).median + 150
    return [
        Row(
            f"beam-up-{nodes}",
            f"{nodes} Erlang nodes: `up()` from Python, cold, until all see all",
            "ms",
            Figures.of(ours),
            round(bar),
            Figures.of(bare),
            BARE,
            ("the bar: 150 ms beyond bare",),
        ),
        Row(
            f"beam-down-{nodes}",
            f"`down` of {nodes} Erlang nodes",
            "ms",
            Figures.of(down),
            None,
            Figures.of(down_bare),
            "SIGKILL, reaped",
        ),
    ]


def calls(bench: Bench) -> list[Row]:
    """`lists:reverse([1,2,3])` on one node: over a connection that stays, and with a process for each call."""
    _needs("erl", "erl_call", "epmd")
    import clusterlib

    with clusterlib.up("beam", name=f"bench-{os.getpid()}", nodes=1, project=bench.project) as cluster:
        node = cluster["node1"]
        facts = node.describe()
        environment = {**os.environ, "HOME": facts["directory"], "ERL_EPMD_PORT": str(facts["epmd_port"])}
        told = ["erl_call", "-c", cluster.cookie_file.read_text(), "-name", facts["node"]]
        ours = _timed(lambda: node.call("lists", "reverse", [[1, 2, 3]]), CALLS)
        theirs = _timed(
            lambda: subprocess.run(
                [*told, "-a", "lists reverse [[1,2,3]]"],
                env=environment,
                check=True,
                stdout=subprocess.DEVNULL,
            ),
            PROCESSES,
        )
        cluster.down()
    return [
        Row(
            "beam-call-p50",
            "a remote call to an Erlang node, p50",
            "ms",
            Figures.of(ours),
            0.3,
            Figures.of(theirs),
            "`erl_call`, a process for each call",
            (f"{CALLS} calls, {PROCESSES} of `erl_call`",),
        )
    ]


def _timed(action: Callable[[], object], count: int) -> list[float]:
    action()
    seconds = []
    for _ in range(count):
        begin = time.perf_counter()
        action()
        seconds.append((time.perf_counter() - begin) * 1000)
    return seconds


def _needs(*programs: str) -> None:
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        raise RuntimeError(f"not on PATH: {', '.join(missing)}")
