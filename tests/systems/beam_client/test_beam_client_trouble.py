"""What callers learn when a node, its helper or their connection breaks."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from clusterlib.drivers.beam.connection import Connection
from clusterlib.drivers.beam.helper import Bringing
from clusterlib.drivers.beam.processes import MODULES
from clusterlib.drivers.beam.terms import Atom
from clusterlib.errors import (
    CallTimeout,
    ClusterError,
    NodeUnavailable,
)
from clusterlib.hosts.places import runtime_dir
from clusterlib.waiting import Deadline, poll
from tests.systems.beam_client.asking import THREADS
from tests.systems.beam_nodes import PATIENCE, Nodes


def test_a_node_killed_in_the_middle_of_calls_tells_all_who_wait_at_once(
    nodes: Nodes, mortal: str, record_property: Callable[[str, object], None]
) -> None:
    with nodes.connect(mortal) as node:
        node.call("erlang", "node")
        told: queue.Queue[tuple[float, ClusterError]] = queue.Queue()

        def wait_for_ever() -> None:
            with pytest.raises(NodeUnavailable) as caught:
                node.call("timer", "sleep", [Atom("infinity")], timeout=None)
            told.put((time.perf_counter(), caught.value))

        waiting = [threading.Thread(target=wait_for_ever) for _ in range(THREADS)]
        for thread in waiting:
            thread.start()
        assert poll(lambda: len(node._waiting) == THREADS, Deadline(PATIENCE))
        killed = time.perf_counter()
        nodes.processes[mortal].send_signal(signal.SIGKILL)
        for thread in waiting:
            thread.join(PATIENCE)
        outcomes = [told.get_nowait() for _ in range(THREADS)]

        seconds = max(moment for moment, _ in outcomes) - killed
        record_property("seconds_from_kill_to_the_last_error", f"{seconds:.4f}")
        assert outcomes[0][1].evidence == ("in the middle of timer:sleep/1",)
        with pytest.raises(NodeUnavailable):
            node.call("erlang", "node")


def test_a_paused_node_costs_each_call_its_own_limit_and_is_of_use_again_once_it_goes_on(
    nodes: Nodes, mortal: str
) -> None:
    with nodes.connect(mortal) as node:
        node.call("erlang", "node")
        nodes.pause(mortal)
        try:
            with pytest.raises(CallTimeout):
                node.call("erlang", "node", timeout=0.1)
        finally:
            nodes.processes[mortal].send_signal(signal.SIGCONT)
        assert node.call("erlang", "node") == Atom(f"{mortal}@127.0.0.1")

        nodes.pause(mortal)
        try:  # more than the kernel takes for it: half a message is sent, and the connection is of no use any more
            with pytest.raises((CallTimeout, NodeUnavailable)):
                node.call("erlang", "byte_size", [bytes(100_000_000)], timeout=0.5)
            with pytest.raises(NodeUnavailable, match="takes no more data"):
                node.call("erlang", "node")
        finally:
            nodes.processes[mortal].send_signal(signal.SIGCONT)
    with nodes.connect(mortal) as node:
        assert node.call("erlang", "node") == Atom(f"{mortal}@127.0.0.1")


def test_a_node_that_halts_in_a_call_tells_its_caller(nodes: Nodes, mortal: str) -> None:
    with nodes.connect(mortal) as node, pytest.raises(NodeUnavailable, match="ended"):
        node.call("erlang", "halt", [0])


def test_closing_the_connection_wakes_whoever_waits(nodes: Nodes) -> None:
    node = nodes.connect("n1")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(node.call, "timer", "sleep", [Atom("infinity")], timeout=None)
        assert poll(lambda: node._waiting, Deadline(PATIENCE))
        node.close()
        with pytest.raises(NodeUnavailable, match="was closed"):
            waiting.result(PATIENCE)


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnhandledThreadExceptionWarning"
)  # it is told as any thread's is
def test_a_mistake_in_whoever_hears_the_news_leaves_nobody_waiting(nodes: Nodes) -> None:
    def stumble(_: Any) -> None:
        raise ValueError

    with nodes.connect("n1", on_message=stumble) as node, nodes.connect("n1") as another:
        another.call("erlang", "send", [node.pid, b"news"])
        with pytest.raises(NodeUnavailable):
            node.call("timer", "sleep", [Atom("infinity")], timeout=None)


def test_a_helper_kept_on_disk_that_is_damaged_is_made_anew(nodes: Nodes, mortal: str) -> None:
    kept = runtime_dir() / "beam"
    with nodes.connect("n1") as node:
        node.call("erlang", "node")
    whole = {path: path.read_bytes() for path in kept.glob("clusterlib_node-*.beam")}
    try:
        for path in whole:
            path.write_bytes(b"no code at all")
        with nodes.connect(mortal) as node:
            assert node.call("erlang", "node") == Atom(f"{mortal}@127.0.0.1")
    finally:
        for path, code in whole.items():
            path.write_bytes(code)


def test_a_node_that_answers_has_more_time_to_compile_what_it_is_brought(
    node: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(*_: object) -> Bringing:
        yield "erlang", "node", []
        yield "timer", "sleep", [1500]

    monkeypatch.setattr("clusterlib.drivers.beam.connection.bringing", slowly)

    node.bring(["something"], timeout=1.0)


def test_a_node_that_does_not_answer_is_not_given_more_time_for_it(
    nodes: Nodes, mortal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusterlib.drivers.beam.connection.BRINGING_SECONDS", 10 * PATIENCE)
    with nodes.connect(mortal) as node:
        nodes.pause(mortal)

        with pytest.raises(CallTimeout, match=r"within 0\.1 s"):
            node.bring(MODULES, timeout=0.1)
