"""Several processes use one cluster: their turns, what ends them, and how it gets clean again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

import clusterlib
from clusterlib.errors import ClusterBusy, ClusterConflict, ClusterNotRunning, UsageError
from clusterlib.rundir.event_files import read_events
from clusterlib.waiting import Deadline, poll

Up = Callable[..., clusterlib.Cluster]


@pytest.fixture(params=[False, True], ids=["processes", "simulated"])
def simulate(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def cluster(up: Up) -> clusterlib.Cluster:
    return up("ci-small")


@contextlib.contextmanager
def another(script: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """Runs this in another process that is attached to the cluster as `c`; gives its output."""
    text = f"import clusterlib, sys\nc = clusterlib.attach()\n{script}"
    process = subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout
    finally:
        process.kill()
        process.communicate()


TAKES_A_TURN = "c.take_turn('the other')\nprint('has it', flush=True)\nsys.stdin.readline()"


def test_a_turn_is_waited_for_across_processes(cluster: clusterlib.Cluster) -> None:
    with another(TAKES_A_TURN) as (process, said):
        assert said.readline() == "has it\n"
        with pytest.raises(ClusterBusy) as caught:
            cluster.take_turn("test_mine", timeout=0.05)
        assert "the other (exclusive)" in caught.value.evidence[0]
        assert cluster.status().waiting == 0, "a request that was given up is withdrawn"

        assert process.stdin is not None
        process.stdin.write("\n")
        leaving = threading.Timer(0.05, process.stdin.flush)
        leaving.start()
        given = cluster.take_turn("test_mine")
        leaving.join()

    assert given.waited > 0
    assert [turn.holder for turn in given.status.turns] == ["test_mine"]
    cluster.end_turn()
    assert cluster.status().turns == ()


def test_a_holder_that_is_killed_frees_its_turn_and_leaves_the_cluster_dirty(
    cluster: clusterlib.Cluster,
) -> None:
    with another(TAKES_A_TURN) as (process, said):
        said.readline()
        killing = threading.Timer(0.05, process.kill)
        killing.start()
        status = cluster.take_turn("test_mine", timeout=10).status
        killing.join()

    assert status.dirty == ("the other ended before its turn was over",)
    cluster.heal()
    cluster.end_turn()
    assert cluster.status().dirty == ()
    kinds = [event.kind for event in read_events(cluster.run_folder.events)]
    assert [kind for kind in kinds if kind.startswith("turn.") or kind.endswith((".dirty", ".healed"))] == [
        "turn.taken",
        "cluster.dirty",
        "turn.ended",
        "turn.taken",
        "cluster.healed",
        "turn.ended",
    ]


def test_a_free_turn_is_not_waited_for_however_slow_the_machine(cluster: clusterlib.Cluster) -> None:
    assert cluster.take_turn("test_mine").waited == 0
    cluster.end_turn()


def test_one_that_waits_and_is_killed_is_not_waited_for(cluster: clusterlib.Cluster) -> None:
    cluster.take_turn("test_mine")
    with another("print('waits', flush=True)\nc.take_turn('the other')"):
        cluster.wait_until(lambda: cluster.status().waiting == 1)
    cluster.wait_until(lambda: cluster.status().waiting == 0)

    cluster.end_turn()

    status = cluster.status()

    assert (status.turns, status.dirty) == ((), ())


def test_ctrl_c_while_waiting_leaves_a_handle_that_can_be_used(cluster: clusterlib.Cluster) -> None:
    cluster.take_turn("test_mine")
    script = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
print('waits', flush=True)
try:
    c.take_turn('the other')
except KeyboardInterrupt:
    print(c.status().waiting, flush=True)
    c.take_turn('the other once more')
    print(c.status().turns[0].holder, flush=True)
"""
    with another(script) as (process, said):
        said.readline()
        cluster.wait_until(lambda: cluster.status().waiting == 1)
        process.send_signal(signal.SIGINT)
        assert said.readline() == "0\n"
        cluster.wait_until(lambda: cluster.status().waiting == 1)
        cluster.end_turn()
        assert said.readline() == "the other once more\n"


def test_a_connection_has_one_turn_at_a_time(cluster: clusterlib.Cluster) -> None:
    with pytest.raises(UsageError, match="no turn"):
        cluster.end_turn()
    cluster.take_turn("test_one")
    with pytest.raises(UsageError, match="test_one"):
        cluster.take_turn("test_two")
    cluster.end_turn()
    cluster.take_turn("test_two")
    cluster.end_turn(dirty="test_two left a mess")

    assert cluster.status().dirty == ("test_two left a mess",)


def test_turns_of_threads_with_handles_of_their_own_never_overlap(cluster: clusterlib.Cluster) -> None:
    inside: list[str] = []
    met: list[list[str]] = []

    def work(who: str) -> None:
        with clusterlib.attach() as mine:
            for _ in range(20):
                mine.take_turn(who, timeout=30)
                inside.append(who)
                met.append(list(inside))
                inside.remove(who)
                mine.end_turn()

    threads = [threading.Thread(target=work, args=(f"thread {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(met) == 80
    assert all(len(together) == 1 for together in met)


def test_whoever_shares_a_cluster_may_not_break_it(cluster: clusterlib.Cluster) -> None:
    with clusterlib.attach() as second:
        cluster.take_turn("first", exclusive=False)
        second.take_turn("second", exclusive=False)
        for fault in (
            cluster["node1"].stop,
            cluster["node1"].start,
            cluster["node1"].kill,
            cluster["node1"].pause,
            cluster["node1"].resume,
            cluster["node1"].restart,
            cluster.heal,
            lambda: cluster.scale(2),
            cluster.down,
        ):
            with pytest.raises(ClusterBusy) as caught:
                fault()
            assert "@pytest.mark.cluster(exclusive=True)" in caught.value.remedies
        assert second.status().state == "ready"
        second.end_turn()
        cluster.end_turn()


def test_who_has_no_turn_may_do_everything_also_while_somebody_has_one(cluster: clusterlib.Cluster) -> None:
    with clusterlib.attach() as person:
        cluster.take_turn("test_mine")
        person["node1"].kill()
        assert person.status().dirty == ("node1 was killed",)
        person.restart("node1")
        cluster.end_turn()
        assert cluster.status().dirty == ()


def test_a_cluster_that_ends_refuses_whoever_waits(cluster: clusterlib.Cluster) -> None:
    refused: list[Exception] = []

    def wait() -> None:
        with clusterlib.attach() as mine:
            try:
                mine.take_turn("too late")
            except ClusterNotRunning as error:
                refused.append(error)

    cluster.take_turn("test_mine")
    waiting = threading.Thread(target=wait)
    waiting.start()
    cluster.wait_until(lambda: cluster.status().waiting == 1)
    cluster.down()
    waiting.join()

    assert len(refused) == 1


def test_what_nodes_printed_is_in_their_logs_when_the_turn_is_over(up: Up, simulate: bool) -> None:
    cluster = up("ci-small", simulate=simulate)
    log = Path(cluster["node1"].status().log)
    for number in range(100):
        cluster.take_turn(f"test_{number}")
        cluster["node1"].run(lambda number=number: print(f"a line of {number}"))  # noqa: T201
        cluster["node1"].run(lambda number=number: print(f"beginning {number}", end="."))  # noqa: T201
        cluster.end_turn()
        text = log.read_text()
        assert f"a line of {number}\n" in text
        assert f"beginning {number}." in text
        cluster["node1"].run(print)


def test_healing_brings_back_the_dead_and_the_paused(up: Up, simulate: bool) -> None:
    cluster = up("ci-small", nodes=3, simulate=simulate)
    before = {node.name: node.status().starts for node in cluster}
    cluster["node1"].kill()
    cluster["node3"].pause()
    assert cluster.status().dirty == ("node1 was killed", "node3 is paused")

    cluster.heal()

    status = cluster.status()
    assert (status.state, status.dirty) == ("ready", ())
    assert {node.name: node.starts - before[node.name] for node in status.nodes} == {
        "node1": 1,
        "node2": 0,
        "node3": 0,
    }
    assert all(len(node.members()) == 3 for node in cluster)


def test_fresh_healing_gives_new_processes(up: Up, simulate: bool) -> None:
    cluster = up("ci-small", simulate=simulate)
    before = {node.pid for node in cluster.status().nodes}
    cluster["node1"].run(lambda: setattr(sys, "spoilt", True))

    cluster.heal(fresh=True)

    assert not before & {node.pid for node in cluster.status().nodes}
    assert cluster["node1"].run(lambda: hasattr(sys, "spoilt")) is False


def test_a_cluster_that_was_paused_for_long_is_whole_for_good_when_it_is_healed(
    cluster: clusterlib.Cluster,
) -> None:
    everyone = len(cluster)
    cluster["node1"].pause()
    cluster.wait_until(lambda: len(cluster["node2"].members()) == everyone - 1)

    cluster.heal()

    assert all(len(node.members()) == everyone for node in cluster)


def test_the_state_of_a_dirty_cluster_survives_its_keeper(
    cluster: clusterlib.Cluster, gone: Callable[[int], bool]
) -> None:
    cluster["node1"].kill()
    cluster.wait_until(
        lambda: json.loads(cluster.run_folder.state.read_text())["dirty"] == ["node1 was killed"]
    )
    keeper = cluster.status().keeper.pid
    os.kill(keeper, signal.SIGKILL)
    assert gone(keeper)

    assert json.loads(cluster.run_folder.state.read_text())["dirty"] == ["node1 was killed"]


def test_of_several_who_want_a_new_cluster_exactly_one_gets_it(project: Path, up: Up) -> None:
    script = """
import clusterlib, sys
try:
    cluster = clusterlib.up("ci-small", join=False)
except clusterlib.errors.ClusterConflict as error:
    print("conflict", flush=True)
else:
    print("started", flush=True)
    sys.stdin.read()
"""
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=project,
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    said = []
    try:
        for racer in racers:
            assert racer.stdout is not None
            said.append(racer.stdout.readline())
    finally:
        for racer in racers:
            racer.communicate()

    assert sorted(said) == ["conflict\n"] * 5 + ["started\n"]
    assert up("ci-small", join=False).state == "ready", "the one that ran has ended: a new one can start"


def test_a_new_cluster_waits_for_the_end_of_the_old_one_of_its_name(up: Up) -> None:
    first = up("ci-small")
    run = first.run_folder
    ending = threading.Thread(target=first.down)
    ending.start()
    assert poll(lambda: "cluster.stopping" in run.events.read_text(), Deadline(10))

    second = up("ci-small", join=False)
    ending.join()

    assert second.run_folder != run


def test_only_a_cluster_that_nobody_holds_can_be_had_alone(up: Up, project: Path) -> None:
    first = up("ci-small", overrides={"linger": 60})
    with pytest.raises(ClusterBusy, match="held by another client"):
        clusterlib.attach(sole=True)
    first.close()

    with clusterlib.attach(sole=True) as mine:
        assert mine.status().state == "ready"
        with pytest.raises(ClusterBusy):
            clusterlib.attach(sole=True)
    clusterlib.attach().down()


def test_how_long_it_lingers_does_not_make_another_cluster(up: Up) -> None:
    first = up("ci-small")

    assert up("ci-small", overrides={"linger": 30}).run_folder == first.run_folder


def test_a_borrowed_cluster_is_not_ended_by_who_borrowed_it(cluster: clusterlib.Cluster) -> None:
    borrowed = clusterlib.attach()
    borrowed.protect()
    assert borrowed.borrowed
    with pytest.raises(ClusterConflict, match="borrowed"):
        borrowed.down()
    borrowed.close()

    assert cluster.state == "ready"


def test_what_the_nodes_cost_is_written_while_they_run(up: Up, simulate: bool) -> None:
    cluster = up("ci-small", simulate=simulate, overrides={"monitor.interval": 0.05})
    samples = cluster.run_folder.samples
    names = ["simulation"] if simulate else [node.name for node in cluster]

    cluster.wait_until(lambda: samples.exists() and samples.read_text().count("\n") >= 3)

    for line in samples.read_text().splitlines()[:3]:
        sample = json.loads(line)
        assert list(sample["nodes"]) == names
        assert all(1 << 20 < one["memory"] < 1 << 28 for one in sample["nodes"].values())
        assert sample["keeper"]["cpu"] > 0
    assert cluster.status().peak.memory > 1 << 20
