"""Load on real nodes. No test says how fast anything is: they compare counts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import clusterlib
from clusterlib.errors import UsageError
from clusterlib.hosts import proc
from clusterlib.load.histogram import Histogram
from clusterlib.load.results import LoadLoop
from clusterlib.operations.declaring import Caller
from clusterlib.operations.load import LoadTick, load
from clusterlib.operations.result import Result

Up = Callable[..., clusterlib.Cluster]


NONSENSE: list[tuple[str, dict[str, Any], str, str]] = [
    ("shop:ordr", {}, "shop has no 'ordr'", "did you mean 'order'?"),
    ("shp:order", {}, "there is no module 'shp'", "did you mean 'shop'?"),
    ("shop:other", {}, "cannot be called by a client", "def other(node): ..."),
    ("shop:not_a_function", {}, "cannot be called", ""),
    ("broken:f", {}, "broken:f cannot be usedZeroDivisionError: division by zero", ""),
    ("order", {}, "'order' is not a target", "cluster.load shop:checkout"),
    ("http://127.0.0.1:80/a/b", {}, "not to any address", "cluster.load /a/b"),
    ("/health", {"port": "htp"}, "no port called 'htp'", "--port http"),
    ("/health", {"clients": 1}, "1 client cannot put load on 2 nodes", "--clients 2"),
    ("/health", {"clients": 100_000}, "out of bounds", ""),
    ("/health", {"clients": 9_000}, "too many for HTTP", "--clients 2000"),
    ("shop:order", {"clients": 9_000}, "too many for a plain function", "--clients 2000"),
    ("/käse", {}, "cannot be requested", "cluster.load /k%C3%A4se"),
    ("/two words?a=50%", {}, "it contains ' '", "/two%20words?a=50%"),
    ("/tea\n", {}, "it contains '\\n'", "cluster.load /tea%0A"),
    ("/\udcff", {}, "must be text", ""),
    ("/health", {"rate": 0}, "out of bounds", ""),
    ("/health", {"seconds": -1}, "out of bounds", ""),
]


def test_each_request_of_a_function_has_reached_its_node_and_is_counted_there(shop: Path, up: Up) -> None:
    cluster = up("ci-small")

    found = cluster.load("shop:order", clients=4, seconds=1)

    assert found.loop is LoadLoop.CLOSED
    assert [row.node for row in found.nodes] == ["node1", "node2"]
    for row in found.nodes:
        assert row.clients == 2
        assert row.requests + row.failed > 0
        assert not row.errors
        assert cluster[row.node].call("shop:count") == row.requests
        assert Histogram(row.histogram).count == row.requests
        assert row.latency is not None
        assert row.corrected is not None
        assert row.latency.p50 <= row.latency.p99 <= row.latency.most
    assert found.total.requests == sum(row.requests for row in found.nodes)
    assert sum(second.requests for second in found.series) == found.total.requests


def test_an_open_loop_sends_what_its_rate_says_or_says_what_it_did_not_send(shop: Path, up: Up) -> None:
    cluster = up("ci-small")

    found = cluster.load("/health", clients=4, seconds=2, rate=50)

    assert found.loop is LoadLoop.OPEN
    assert found.total.requests + found.total.failed + found.unsent == 100
    assert found.total.corrected is None
    assert [row.clients for row in found.nodes] == [2, 2]


def test_processes_of_clients_divide_the_work(shop: Path, up: Up) -> None:
    cluster = up("ci-small")

    found = cluster.load("shop:order", clients=8, seconds=1, processes=2, rate=60)

    assert found.processes == 2
    assert len(found.clients_cpu) == 2
    assert found.total.requests + found.total.failed + found.unsent == 60
    done = sum(node.call("shop:count") for node in cluster)
    assert done == found.total.requests


def test_errors_are_counted_by_kind_and_node(shop: Path, up: Up) -> None:
    cluster = up("ci-small")

    of_function = cluster.load("shop:soon", clients=2, seconds=0.5)
    of_http = cluster.load("/nothing-here", clients=2, seconds=0.5)

    good, bad = of_function.nodes
    assert (good.failed, bad.requests) == (0, 0)
    assert set(bad.errors) == {"ValueError"}
    assert set(of_http.total.errors) == {"HTTP 404"}


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("shop:leaving", "SystemExit"),
        ("shop:leaving_soon", "SystemExit"),
        ("shop:cancelled", "CancelledError"),
        ("shop:ending_the_loop", "client ended by CancelledError"),
    ],
)
def test_what_would_end_a_client_is_an_error(shop: Path, up: Up, target: str, kind: str) -> None:
    found = up("ci-small").load(target, clients=2, seconds=0.5)

    assert [set(row.errors) for row in found.nodes] == [{kind}, {kind}]
    assert found.total.requests == 0


def test_a_node_that_is_named_twice_is_loaded_once(shop: Path, up: Up) -> None:
    cluster = up("ci-small")

    found = cluster.load("shop:order", clients=4, seconds=0.5, only=("node1", "node1"))

    assert [(row.node, row.clients) for row in found.nodes] == [("node1", 4)]
    assert cluster["node1"].call("shop:count") == found.total.requests


def test_a_node_that_is_down_fails_and_the_others_answer(shop: Path, up: Up) -> None:
    cluster = up("dev")
    cluster["node2"].kill()

    found = cluster.load("/health", clients=3, seconds=0.5)

    assert [row.requests > 0 or set(row.errors) == {"HTTP 503"} for row in found.nodes] == [True, False, True]
    assert set(found.nodes[1].errors) == {"connection refused"}


def test_a_fault_is_marked_and_what_nodes_use_is_measured_meanwhile(shop: Path, up: Up) -> None:
    cluster = up("ci-small")
    cluster["node1"].pause()
    cluster["node1"].resume()

    class Breaker(Caller):
        def show(self, result: Result) -> None:
            if isinstance(result, LoadTick) and result.measured.second == 1:
                with clusterlib.attach() as other:
                    other["node2"].kill()

    found = load.on(cluster, "/health", clients=2, seconds=3, caller=Breaker())

    (fault,) = found.faults
    assert (fault.node, fault.what) == ("node2", "node2 was killed")
    assert 0 < fault.second <= found.seconds
    usage = found.nodes[0].usage
    assert usage is not None
    assert usage.memory > 2**20
    assert usage.cpu > 0
    assert found.total.usage is None


def test_requests_that_are_not_answered_by_the_end_are_errors(shop: Path, up: Up) -> None:
    cluster = up("ci-small")

    found = cluster.load("shop:never", clients=6, seconds=0.3)

    assert found.total.errors == {"no answer by the end": 6}


def test_a_request_that_takes_too_long_is_an_error(shop: Path, up: Up) -> None:
    cluster = up("ci-small")

    found = cluster.load("shop:never", clients=2, seconds=1, timeout=0.1, only=("node1",))

    assert [row.node for row in found.nodes] == ["node1"]
    assert found.total.errors["timeout"] > 2


def test_a_function_need_not_take_the_node(shop: Path, up: Up) -> None:
    assert up("ci-small").load("shop:nowhere", clients=2, seconds=0.3).total.requests > 0


def test_simulated_nodes_are_loaded_too_and_the_result_says_so(shop: Path, up: Up) -> None:
    cluster = up("ci-small", simulate=True)

    found = cluster.load("shop:order", clients=2, seconds=0.5)

    assert found.simulated
    assert "simulated" in [limit.by for limit in found.limits]
    assert cluster["node1"].call("shop:count") == found.total.requests, "the nodes share their memory"


def test_what_makes_no_sense_is_refused_with_what_does(shop: Path, up: Up) -> None:
    """One cluster for all, because none of them reaches a node."""
    cluster = up("ci-small")
    (shop / "broken.py").write_text("1 / 0\n")
    for target, options, problem, remedy in NONSENSE:
        with pytest.raises(UsageError) as refused:
            cluster.load(target, **{"seconds": 0.3, "clients": 2, **options})

        assert problem in refused.value.problem + str(refused.value.cause), target
        assert remedy in " ".join(map(str, refused.value.remedies)), target


def test_json_is_one_document_even_if_the_function_prints(shop: Path, up: Up) -> None:
    up("ci-small")
    command = [
        sys.executable,
        "-m",
        "clusterlib",
        "load",
        "shop:greeted",
        "--clients",
        "2",
        "--seconds",
        "0.3",
    ]

    done = subprocess.run([*command, "--json"], cwd=shop, capture_output=True, check=True)

    found = json.loads(done.stdout)
    assert found["total"]["requests"] > 0
    assert b"hello from" in done.stderr  # where lines of several processes may meet in mid-letter


def started(shop: Path, target: str = "shop:order", *options: str) -> tuple[subprocess.Popen[str], list[int]]:
    """A load for an hour, and its processes of clients, once they are at work."""
    given = options or ("--clients", "4")
    command = [sys.executable, "-m", "clusterlib", "load", target, "--seconds", "3600", *given]
    running = subprocess.Popen(
        [*command, "--processes", "2"],
        cwd=shop,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    assert running.stderr is not None
    assert "requests" in running.stderr.readline()
    workers = workers_of(running.pid)
    assert len(workers) == 2
    return running, workers


def workers_of(pid: int) -> list[int]:
    """The processes of clients of a command."""
    return [
        one.pid for one in proc.descendants(pid) if "clusterlib.load.worker" in proc.command_line(one.pid)
    ]


def test_ctrl_c_shows_what_was_measured_until_then(shop: Path, up: Up, gone: Callable[[int], bool]) -> None:
    up("ci-small")
    running, workers = started(shop)

    running.send_signal(signal.SIGINT)
    printed, _ = running.communicate(timeout=30)

    assert running.returncode == 130
    assert "interrupted" in printed.splitlines()[0]
    assert "p99 corrected" in printed
    assert all(gone(pid) for pid in workers)


def test_ctrl_c_wakes_coroutines_that_wait_for_their_next_request(shop: Path, up: Up) -> None:
    """All clients have taken a start of the open loop, most of them seconds ahead."""
    up("ci-small")
    running, _ = started(shop, "shop:at_once", "--clients", "50", "--rate", "2")

    running.send_signal(signal.SIGINT)
    printed, _ = running.communicate(timeout=30)

    assert running.returncode == 130
    assert "interrupted" in printed.splitlines()[0]
    assert "no answer by the end" not in printed


def test_nothing_of_a_load_is_left_when_its_command_is_killed(
    shop: Path, up: Up, gone: Callable[[int], bool]
) -> None:
    up("ci-small")
    running, workers = started(shop)

    running.kill()
    running.communicate(timeout=30)

    assert all(gone(pid) for pid in workers)


def test_a_process_of_clients_that_was_killed_is_reported(shop: Path, up: Up) -> None:
    class Killer(Caller):
        def show(self, result: Result) -> None:
            for pid in workers_of(os.getpid())[:1]:
                os.kill(pid, signal.SIGKILL)

    found = load.on(up("ci-small"), "shop:order", clients=4, seconds=2.5, processes=2, caller=Killer())

    assert any("ended early" in limit.reason for limit in found.limits)
    assert found.total.requests > 0
