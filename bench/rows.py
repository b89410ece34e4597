"""What is measured, row by row. Ours and bare alternate within each repetition, so that a busy
moment affects both."""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import erlang, erlang_processes, processes, sampling
from bench.figures import Figures, Row
from bench.machine import Wake, cpu_seconds, memory_mb
from bench.programs import Program, echo_server, interpreters, program, run_timed
from clusterlib.waiting import Deadline, poll

__all__ = ["LONG", "ROWS", "Bench"]

BARE_NODES = "the same node processes forked by one script, no keeper"
BARE_KILL = "SIGKILL to three bare nodes, reaped"
IDLE_SECONDS = 20.0
IDLE_TIMES = 3
"""One period is too short: other work on the machine can exceed all that a keeper does."""
MANY = 100


class Bench:
    """The setting of all rows: an empty project, and how often each is repeated."""

    def __init__(self, project: Path, repeat: int) -> None:
        self.project = project
        self.repeat = repeat
        self.few = min(repeat, max(3, repeat // 2))
        """For rows of many nodes, which take seconds each."""
        (project / "tasks.py").write_text("from clusterlib.invoke import namespace  # noqa: F401\n")
        (project / "pyproject.toml").write_text('[project]\nname = "bench"\nversion = "0"\n')

    def ours(
        self, nodes: int, *more: str, project: Path | None = None, **variables: str
    ) -> contextlib.AbstractContextManager[Program]:
        name = f"bench-{os.getpid()}"
        return program("bench.child", str(project or self.project), name, str(nodes), *more, **variables)

    @contextlib.contextmanager
    def bare(self, nodes: int) -> Iterator[Program]:
        with tempfile.TemporaryDirectory() as folder, program("bench.bare", folder, str(nodes)) as running:
            yield running

    def bare_kill(self) -> float:
        """Milliseconds from SIGKILL to three bare nodes until they are reaped."""
        with self.bare(3) as running:
            return ms(running.ask("down")["seconds"])


def ms(seconds: float) -> float:
    return seconds * 1000


# -- up and down


def up_three(bench: Bench) -> list[Row]:
    """Three nodes up and down again, from Python and cold: one series gives several rows."""
    up, up_bare, whole, whole_bare, down, down_bare, scale = ([] for _ in range(7))
    memory, memory_bare = [], []
    for _ in range(bench.repeat):
        with bench.ours(3) as running:
            up.append(ms(running.first["seconds"]))
            whole.append(ms(running.seconds))
            memory += [memory_mb(node["pid"]) for node in running.first["status"]["nodes"]]
            wake = Wake.of(running.first["status"])
            down.append(ms(running.ask("down")["seconds"]))
            late = ms(wake.all_gone())
            assert late < 5, f"down came back {late:.1f} ms before the last process was gone"
        with bench.bare(3) as running:
            up_bare.append(ms(running.first["seconds"]))
            whole_bare.append(ms(running.seconds))
            memory_bare += [memory_mb(pid) for pid in running.first["pids"]]
            down_bare.append(ms(running.ask("down")["seconds"]))
        scale.append(ms(interpreters(3)))
    note = f"three interpreters that only import asyncio, started at once, take {statistics.median(scale):.0f} ms"
    return [
        Row(
            "up-3",
            "3 nodes: `up()` from Python, cold, its imports included, until all see all",
            "ms",
            Figures.of(up),
            250,
            Figures.of(up_bare),
            BARE_NODES,
            (note,),
        ),
        Row(
            "up-3-process",
            "the same with the start of the interpreter",
            "ms",
            Figures.of(whole),
            None,
            Figures.of(whole_bare),
            BARE_NODES,
        ),
        Row(
            "down-3",
            "`down` of 3 nodes, until keeper, guard and nodes are gone",
            "ms",
            Figures.of(down),
            100,
            Figures.of(down_bare),
            BARE_KILL,
        ),
        Row(
            "memory-3",
            "memory of a node of its own (PSS), 3 nodes",
            "MB",
            Figures.of(memory),
            15,
            Figures.of(memory_bare),
            "a node forked by one script",
        ),
    ]


def up_shell(bench: Bench) -> list[Row]:
    """From the shell: until the prompt is back."""
    invoke = str(Path(sys.executable).with_name("invoke"))
    ours, bare = [], []
    for _ in range(bench.repeat):
        ours.append(ms(run_timed([invoke, "cluster.up"], bench.project)))
        run_timed([invoke, "cluster.down"], bench.project)
        with bench.bare(3) as running:
            bare.append(ms(running.seconds))
    return [
        Row(
            "up-3-shell",
            "3 nodes: `invoke cluster.up` from the shell, until the prompt is back",
            "ms",
            Figures.of(ours),
            700,
            Figures.of(bare),
            f"{BARE_NODES}, with the start of its interpreter",
        )
    ]


def up_many(bench: Bench) -> list[Row]:
    ours, bare, memory, memory_bare, down = [], [], [], [], []
    for _ in range(bench.few):
        with bench.ours(MANY) as running:
            ours.append(ms(running.first["seconds"]))
            memory += [memory_mb(node["pid"]) for node in running.first["status"]["nodes"]]
            down.append(ms(running.ask("down")["seconds"]))
        with bench.bare(MANY) as running:
            bare.append(ms(running.first["seconds"]))
            memory_bare += [memory_mb(pid) for pid in running.first["pids"]]
            running.ask("down")
    few = f"median of {bench.few}"
    return [
        Row(
            "up-100",
            "100 nodes: `up()` from Python, cold, until all see all",
            "ms",
            Figures.of(ours),
            3000,
            Figures.of(bare),
            BARE_NODES,
            (few, f"their `down` takes {statistics.median(down):.0f} ms"),
        ),
        Row(
            "memory-100",
            "memory of a node of its own (PSS), 100 nodes",
            "MB",
            Figures.of(memory),
            15,
            Figures.of(memory_bare),
            "a node forked by one script",
            (few,),
        ),
    ]


def up_simulated(bench: Bench) -> list[Row]:
    ours, bare = [], []
    for _ in range(bench.repeat):
        with bench.ours(3, "simulate") as running:
            ours.append(ms(running.first["seconds"]))
            running.ask("down")
        with bench.bare(1) as running:
            bare.append(ms(running.first["seconds"]))
    return [
        Row(
            "up-3-simulated",
            "3 simulated nodes: `up()` from Python, cold",
            "ms",
            Figures.of(ours),
            None,
            Figures.of(bare),
            "one node process forked by one script",
        )
    ]


# -- death


def runner_killed(bench: Bench) -> list[Row]:
    ours, bare = [], []
    for _ in range(bench.repeat):
        with bench.ours(3) as running:
            wake = Wake.of(running.first["status"])
            running.kill()
            ours.append(ms(wake.all_gone()))
        bare.append(bench.bare_kill())
    return [
        Row(
            "runner-killed",
            "runner killed with SIGKILL, until no process is left",
            "ms",
            Figures.of(ours),
            500,
            Figures.of(bare),
            BARE_KILL,
        )
    ]


def keeper_killed(bench: Bench) -> list[Row]:
    rows = []
    for rung in ("auto", "sweep"):
        ours, bare, used = [], [], ""
        for _ in range(bench.repeat):
            with bench.ours(3, CLUSTERLIB_CONTAINMENT=rung) as running:
                status = running.first["status"]
                used = status["keeper"]["containment"]
                wake = Wake.of(status)
                os.kill(status["keeper"]["pid"], signal.SIGKILL)
                ours.append(ms(wake.all_gone()))
                running.tell("leave")
            bare.append(bench.bare_kill())
        what = f"keeper killed with SIGKILL, until no process is left ({used})"
        rows.append(
            Row(f"keeper-killed-{rung}", what, "ms", Figures.of(ours), 100, Figures.of(bare), BARE_KILL)
        )
        if used == "sweep":
            break
    return rows


# -- living


def leases_and_calls(bench: Bench) -> list[Row]:
    with echo_server() as port, bench.ours(3) as running:
        leases = running.ask(f"attach {5 * bench.repeat}")
        calls = running.ask(f"calls {200 * bench.repeat} {port}")
        running.ask("down")
    ours, bare = ([ms(seconds) for seconds in calls[side]] for side in ("ours", "bare"))
    ping = "a ping-pong of 64 bytes over bare TCP between two processes"
    return [
        Row(
            "lease",
            "a lease on a running cluster (`attach`)",
            "ms",
            Figures.of([ms(seconds) for seconds in leases["ours"]]),
            5,
            Figures.of([ms(seconds) for seconds in leases["bare"]]),
            "one question and answer over the keeper's bare socket",
        ),
        Row(
            "call-p50",
            "a remote call, p50",
            "ms",
            Figures.of(ours),
            0.3,
            Figures.of(bare),
            ping,
            (f"{len(ours)} calls",),
        ),
        Row("call-p99", "a remote call, p99", "ms", _p99(ours), None, _p99(bare), ping),
    ]


def _p99(values: list[float]) -> Figures:
    """The p99 of each tenth of the calls, so that there is a median."""
    tenth = max(1, len(values) // 10)
    parts = [sorted(values[start : start + tenth]) for start in range(0, len(values), tenth)]
    return Figures.of([part[int(len(part) * 0.99)] for part in parts if len(part) == tenth])


def keeper_idle(bench: Bench) -> list[Row]:
    """CPU time of keeper and guard while only the monitor works; beside it the same without
    monitor, and that of the nodes."""
    watched, unwatched = [], []
    for _ in range(min(IDLE_TIMES, bench.repeat)):
        watched.append(_idle_shares(bench, "1"))
        unwatched.append(_idle_shares(bench, "0"))
    nodes_share = statistics.median(nodes for _, nodes in watched)
    return [
        Row(
            "keeper-cpu",
            f"CPU of the keeper and its guard, 3 idle nodes, monitoring at 1 s, over {IDLE_SECONDS:.0f} s",
            "%",
            Figures.of([keeper for keeper, _ in watched]),
            0.5,
            Figures.of([keeper for keeper, _ in unwatched]),
            "the same without monitoring",
            (f"the three nodes together: {nodes_share:.2f} %", f"of one core, {IDLE_TIMES} times"),
        )
    ]


def _idle_shares(bench: Bench, interval: str) -> tuple[float, float]:
    """The share of one core that keeper and guard take, and that of the nodes."""
    with bench.ours(3, CLUSTERLIB_MONITOR_INTERVAL=interval) as running:
        status = running.first["status"]
        keepers = [status["keeper"]["pid"], status["keeper"]["guard"]]
        nodes = [node["pid"] for node in status["nodes"]]
        before = sum(map(cpu_seconds, keepers)), sum(map(cpu_seconds, nodes))
        poll(lambda: None, Deadline(IDLE_SECONDS), longest=1.0)
        after = sum(map(cpu_seconds, keepers)), sum(map(cpu_seconds, nodes))
        running.ask("down")
    keeper, node = ((b - a) / IDLE_SECONDS * 100 for a, b in zip(before, after, strict=True))
    return keeper, node


ROWS: dict[str, Callable[[Bench], list[Row]]] = {
    "up-3": up_three,
    "up-3-shell": up_shell,
    "up-100": up_many,
    "up-3-simulated": up_simulated,
    "lease": leases_and_calls,
    "runner-killed": runner_killed,
    "keeper-killed": keeper_killed,
    "keeper-cpu": keeper_idle,
    "process-top": processes.busiest,
    "process-name": processes.names,
    "process-message": processes.messages,
    "sampling": lambda bench: [sampling.slowdown(bench.project, bench.few)],
    "beam-up-3": erlang.up_three,
    "beam-up-5": erlang.up_five,
    "elixir-up-3": erlang.up_elixir,
    "beam-call": erlang.calls,
    "beam-kill": erlang.killed_in_a_call,
    "beam-top": erlang_processes.busiest,
}
"""By the name that `--rows` takes; one measurement may give several rows."""
LONG = {
    "up-100",
    "keeper-cpu",
    "sampling",
    "beam-up-3",
    "beam-up-5",
    "elixir-up-3",
    "beam-call",
    "beam-kill",
    "beam-top",
}
"""Those that take many seconds each."""
