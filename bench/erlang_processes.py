"""The busiest processes of an Erlang node, beside the way in which recon and observer_cli ask."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.erlang import needs
from bench.figures import Figures, Row
from bench.programs import run_timed

if TYPE_CHECKING:
    from bench.rows import Bench

__all__ = ["busiest"]

SHOWN = 20
SIZES = (50, 10_000)
TIMES = 30
LIKE_RECON = """
-module(bench_recon).
-export([top/2, fill/1, idle/0]).

%% As recon:proc_count/2 does, which observer_cli uses, too: four values of every process, then the first of them.
top(Key, Count) ->
    All = [{Value, {Pid, Name, Function, Initial}} || Pid <- processes() -- [self()],
           [{_, Name}, {_, Value}, {_, Function}, {_, Initial}] <-
               [process_info(Pid, [registered_name, Key, current_function, initial_call])]],
    lists:sublist(lists:reverse(lists:sort(All)), Count).

fill(Count) -> [spawn(bench_recon, idle, []) || _ <- lists:seq(1, Count)], ok.
idle() -> receive stop -> ok end.
"""


def busiest(bench: Bench) -> list[Row]:
    """From the question of a client to its answer, with connection and all modules in place."""
    needs("erl", "erlc")
    import clusterlib
    from clusterlib.drivers.beam.terms import Atom
    from clusterlib.messages.processes import ProcessOrder

    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        clusterlib.up("beam", name=f"bench-{os.getpid()}", nodes=1, project=bench.project) as cluster,
    ):
        node = cluster["node1"]
        code = _compiled(Path(folder))
        node.call("code", "load_binary", [Atom("bench_recon"), [*map(ord, "bench_recon.erl")], code])

        def ours() -> Any:
            return node.ask_processes(lambda calls: calls.busiest(ProcessOrder.MEMORY, SHOWN, None, 10.0))

        def like_recon() -> Any:
            return node.call("bench_recon", "top", [Atom("memory"), SHOWN])

        for size in SIZES:
            node.call("bench_recon", "fill", [size - ours().count])
            mine, theirs = _in_turn(ours, like_recon)
            rows.append(
                Row(
                    f"beam-top-{size}",
                    f"the {SHOWN} processes with most memory, of {size:,} on an Erlang node",
                    "ms",
                    Figures.of(mine),
                    None,
                    Figures.of(theirs),
                    "as recon and observer_cli ask: four values of every process",
                    ("the bare side shows less: no supervisor, state, mailbox and work of the chosen",),
                )
            )
        cluster.down()
    return rows


def _in_turn(*actions: Callable[[], object]) -> tuple[list[float], ...]:
    """Milliseconds of each, TIMES times."""
    for action in actions:
        action()
    taken: tuple[list[float], ...] = tuple([] for _ in actions)
    for _ in range(TIMES):
        for action, series in zip(actions, taken, strict=True):
            begin = time.perf_counter()
            action()
            series.append((time.perf_counter() - begin) * 1000)
    return taken


def _compiled(folder: Path) -> bytes:
    source = folder / "bench_recon.erl"
    source.write_text(LIKE_RECON)
    run_timed(["erlc", "-o", str(folder), str(source)], folder)
    return (folder / "bench_recon.beam").read_bytes()
