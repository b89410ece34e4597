"""Clusters of Erlang nodes, and calls to them, beside bare nodes and `erl_call`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Figures, Row
from bench.programs import ROOT, program
from clusterlib.drivers.beam.mix import elixir_libraries
from clusterlib.hosts.programs import folders_of

if TYPE_CHECKING:
    from bench.rows import Bench

__all__ = ["calls", "killed_in_a_call", "needs", "up_elixir", "up_five", "up_three"]

BARE = "the same `erl` processes with an epmd of their own, started by one script"
CALLS = 2000
PROCESSES = 50


def up_three(bench: Bench) -> list[Row]:
    return _up(bench, 3)


def up_five(bench: Bench) -> list[Row]:
    return _up(bench, 5)


def up_elixir(bench: Bench) -> list[Row]:
    """The Mix project of examples/, compiled before."""
    needs("elixir", "mix")
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "shop"
        shutil.copytree(ROOT / "examples" / "elixir", project, ignore=shutil.ignore_patterns("_build"))
        environment = {**os.environ, "MIX_ENV": "test"}
        subprocess.run(
            ["mix", "compile"], cwd=project, env=environment, check=True, stdout=subprocess.DEVNULL
        )
        with bench.ours(1, "profile=elixir", project=project) as running:
            running.ask("down")  # from now on it is known that nothing has to be built
        libraries = elixir_libraries(Path(shutil.which("elixir") or ""))
        paths = [*project.glob("_build/test/lib/*/consolidated"), *project.glob("_build/test/lib/*/ebin")]
        application = ["shop", *map(str, paths), *folders_of([libraries])]
        return _up(bench, 3, "elixir", "Elixir", project, application)


def _up(
    bench: Bench,
    nodes: int,
    profile: str = "beam",
    what: str = "Erlang",
    project: Path | None = None,
    application: Sequence[str] = (),
) -> list[Row]:
    """`application`: what the bare nodes start, and its code path."""
    needs("erl", "epmd")
    ours, bare, down, down_bare = [], [], [], []
    for _ in range(bench.few):
        with bench.ours(nodes, f"profile={profile}", project=project) as running:
            ours.append(running.first["seconds"] * 1000)
            down.append(running.ask("down")["seconds"] * 1000)
        with (
            tempfile.TemporaryDirectory() as folder,
            program("bench.bare_erlang", folder, str(nodes), *application) as running,
        ):
            bare.append(running.first["seconds"] * 1000)
            down_bare.append(running.ask("down")["seconds"] * 1000)
    bar = Figures.of(bare).median + 150
    until = "until their application runs" if application else "until all see all"
    return [
        Row(
            f"{profile}-up-{nodes}",
            f"{nodes} {what} nodes: `up()` from Python, cold, {until}",
            "ms",
            Figures.of(ours),
            round(bar),
            Figures.of(bare),
            BARE,
            ("the bar: 150 ms beyond bare",),
        ),
        Row(
            f"{profile}-down-{nodes}",
            f"`down` of {nodes} {what} nodes",
            "ms",
            Figures.of(down),
            None,
            Figures.of(down_bare),
            "SIGKILL, reaped",
        ),
    ]


def calls(bench: Bench) -> list[Row]:
    """`lists:reverse([1,2,3])` on one node: over one connection, and with a process per call."""
    needs("erl", "erl_call", "epmd")
    import clusterlib

    with clusterlib.up("beam", name=f"bench-{os.getpid()}", nodes=1, project=bench.project) as cluster:
        node = cluster["node1"]
        status = node.status()
        environment = {**os.environ, "HOME": status.directory, "ERL_EPMD_PORT": status.facts["epmd_port"]}
        words = ["erl_call", "-c", cluster.cookie_file.read_text(), "-name", status.facts["node"]]
        ours = _timed(lambda: node.call("lists", "reverse", [[1, 2, 3]]), CALLS)
        theirs = _timed(
            lambda: subprocess.run(
                [*words, "-a", "lists reverse [[1,2,3]]"],
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


def killed_in_a_call(bench: Bench) -> list[Row]:
    """A node is killed during a call that would never end: until its caller gets the error."""
    needs("erl")
    import clusterlib
    from clusterlib.drivers.beam.terms import Atom
    from clusterlib.errors import NodeUnavailable
    from clusterlib.waiting import Deadline, poll

    def wait_for_ever() -> float:
        try:
            node.call("timer", "sleep", [Atom("infinity")], timeout=60.0)
        except NodeUnavailable:
            return time.perf_counter()
        raise RuntimeError("the call has ended by itself")

    def processes() -> int:
        found: int = node.call("erlang", "system_info", [Atom("process_count")])
        return found

    seconds = []
    with clusterlib.up("beam", name=f"bench-{os.getpid()}", nodes=1, project=bench.project) as cluster:
        node = cluster["node1"]
        for _ in range(bench.few):
            processes()  # the first call brings the helper
            pid, before = node.pid, processes()
            assert pid is not None
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(wait_for_ever)
                poll(lambda before=before: processes() > before, Deadline(10.0))  # type: ignore[misc]
                killed = time.perf_counter()
                os.kill(pid, signal.SIGKILL)
                seconds.append((waiting.result() - killed) * 1000)
            node.restart()
        cluster.down()
    return [
        Row(
            "beam-kill",
            "an Erlang node is killed in the middle of a call: until its caller has the error",
            "ms",
            Figures.of(seconds),
            100.0,
            notes=("from SIGKILL on; the call would never have ended",),
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


def needs(*programs: str) -> None:
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        raise RuntimeError(f"not on PATH: {', '.join(missing)}")
