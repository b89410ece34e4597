"""What embedded nodes do is shown, also while their event loops are blocked."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import clusterlib
from clusterlib.errors import (
    CallTimeout,
    ClusterBusy,
    ClusterError,
    NodeUnavailable,
    NotInTime,
    NotSupported,
    UsageError,
)
from clusterlib.messages.observed import Activity
from clusterlib.waiting import Deadline, poll
from tests.functional.conftest import Up

SHOP = """
import asyncio, itertools, threading, time

held = threading.Event()

async def wait_for_stock():
    await inner_wait()

async def inner_wait():
    await asyncio.Event().wait()

def wait_in_a_thread():
    held.wait()

async def block_the_loop():
    for _ in itertools.count():
        pass

async def sleep_on_the_loop():
    time.sleep(600)

async def hold_the_interpreter():
    sum(itertools.repeat(1, 2 * 10**9))

def count(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        add()

def add():
    return sum(range(1000))
"""
Begin = Callable[..., None]


@pytest.fixture
def node(up: Up, project: Path) -> clusterlib.Node:
    (project / "shop.py").write_text(SHOP)
    return up("ci-small")["node1"]


@pytest.fixture
def begin(node: clusterlib.Node) -> Iterator[Begin]:
    """Begins a call that is not waited for."""
    with ThreadPoolExecutor() as pool:

        def call(target: str, *arguments: object) -> None:
            pool.submit(_until_the_end, node, target, arguments)

        yield call
        node.kill()  # which ends its calls


def _until_the_end(node: clusterlib.Node, target: str, arguments: tuple[object, ...]) -> None:
    with contextlib.suppress(NodeUnavailable, CallTimeout):
        node.call(target, *arguments, timeout=120)


def functions(activity: Activity) -> set[str]:
    stacks = [one.frames for one in activity.threads] + [one.frames for one in activity.tasks]
    return {frame.function for frames in stacks for frame in frames}


def seen(node: clusterlib.Node, function: str) -> Activity:
    """Its activity, once that function runs."""
    found: list[Activity] = []

    def runs() -> bool:
        found.append(node.activity())
        return function in functions(found[-1])

    assert poll(runs, Deadline(30)), functions(found[-1])
    return found[-1]


def test_each_thread_and_task_is_shown_with_what_it_does(node: clusterlib.Node, begin: Begin) -> None:
    begin("shop:wait_for_stock")
    begin("shop:wait_in_a_thread")
    seen(node, "inner_wait")
    activity = seen(node, "wait_in_a_thread")

    task = next(one for one in activity.tasks if "wait_for_stock" in one.name)
    assert [frame.function for frame in task.frames][:2] == ["wait_for_stock", "inner_wait"]
    assert task.frames[1].file.endswith("shop.py")
    assert SHOP.splitlines()[task.frames[1].line - 1].strip() == "await asyncio.Event().wait()"
    thread = next(one for one in activity.threads if "wait_in_a_thread" in functions(Activity((one,))))
    assert thread.frames[0].function == "wait_in_a_thread"
    assert thread.name.startswith("node1 call")
    assert next(one for one in activity.threads if one.is_loop).idle


@pytest.mark.parametrize("function", ["block_the_loop", "sleep_on_the_loop"])
def test_a_blocked_event_loop_is_shown(node: clusterlib.Node, begin: Begin, function: str) -> None:
    begin(f"shop:{function}")

    activity = seen(node, function)

    loop = next(one for one in activity.threads if one.is_loop)
    assert not loop.idle
    assert function in functions(Activity((loop,)))
    assert not activity.from_signal


def test_a_function_of_c_that_holds_the_interpreter_is_shown_by_a_signal(
    node: clusterlib.Node, begin: Begin
) -> None:
    begin("shop:hold_the_interpreter")

    activity = seen(node, "hold_the_interpreter")
    if not activity.from_signal:  # it was asked just before
        activity = node.activity()

    assert activity.from_signal
    assert "hold_the_interpreter" in functions(activity)
    with pytest.raises(NotInTime, match="did not begin to sample"):
        node.samples(0.2)


def test_samples_of_a_node_become_a_flame_graph(node: clusterlib.Node, project: Path, begin: Begin) -> None:
    begin("shop:count", 60)
    seen(node, "count")

    with clusterlib.attach() as cluster:
        written = cluster.flame("node1", seconds=1.0)

    assert written.samples > 0
    assert written.cost < 0.1
    assert Path(written.file) == project / "node1.flame.svg"
    root = ET.fromstring(Path(written.file).read_text())
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"count", "add"} <= set(texts)
    assert b"<script" not in Path(written.file).read_bytes()
    assert b"http" not in Path(written.file).read_bytes().replace(b"http://www.w3.org/2000/svg", b"")


def test_sampling_ends_with_its_asker_and_leaves_nothing(
    node: clusterlib.Node, project: Path, begin: Begin
) -> None:
    folder = Path(node.status().log).with_suffix("")
    code = "import clusterlib; clusterlib.attach()['node1'].samples(300)"
    asker = subprocess.Popen([sys.executable, "-c", code], cwd=project)
    assert poll(lambda: list(folder.glob("*.begun")), Deadline(30))
    with pytest.raises(ClusterBusy, match="another caller"):
        node.samples(0.1)

    os.kill(asker.pid, signal.SIGKILL)
    asker.wait()

    def is_clean() -> bool:
        return not [one for one in folder.iterdir() if one.suffix in {".begun", ".question", ".answer"}]

    assert poll(is_clean, Deadline(30)), list(folder.iterdir())
    assert node.samples(0.1).samples > 0
    assert is_clean()


def test_several_ask_at_the_same_time(node: clusterlib.Node) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: node.activity(), range(40)))

    assert all(one.threads and not one.from_signal for one in found)
    assert node.call("operator:add", 40, 2) == 42


def test_nodes_that_cannot_be_asked_are_named_and_the_others_answer(node: clusterlib.Node) -> None:
    with clusterlib.attach() as cluster:
        cluster["node2"].pause()

        found = cluster.stacks()

        assert list(found.nodes) == ["node1"]
        assert "paused" in found.missing["node2"]
        with pytest.raises(NodeUnavailable):
            cluster.stacks("node2")
        with pytest.raises(UsageError, match="no folder"):
            cluster.flame("node1", output="nowhere/f.svg")


def test_only_a_picture_is_replaced_by_a_picture(node: clusterlib.Node, project: Path) -> None:
    (project / "notes.txt").write_text("mine")

    with clusterlib.attach() as cluster:
        cluster.flame("node1", seconds=0.1, output="f.svg")
        cluster.flame("node1", seconds=0.1, output="f.svg")
        with pytest.raises(UsageError, match="is not replaced"):
            cluster.flame("node1", seconds=0.1, output="notes.txt")

    assert (project / "notes.txt").read_text() == "mine"


def test_simulated_nodes_and_servers_say_why_they_show_nothing(up: Up, project: Path) -> None:
    simulated = up("ci-small", simulate=True)
    with pytest.raises(NotSupported) as caught:
        simulated.stacks("node1")
    assert "share one interpreter" in str(caught.value.cause)

    (project / "profiles").mkdir()
    (project / "profiles" / "sleepers.toml").write_text(
        'driver = "command"\n[nodes]\ncount = 1\n[command]\nprogram = "sh"\n'
        'arguments = ["-c", "echo started; exec sleep 600"]\n[ready]\nlog = "started"\n'
    )
    server = up("sleepers", name="sleepers")
    with pytest.raises(ClusterError) as refused:
        server.flame("node1", seconds=0.1)
    assert isinstance(refused.value, NotSupported)
    assert "py-spy" in str(refused.value.cause)
    assert server["node1"].state == "ready"


def test_the_command_prints_them(node: clusterlib.Node, project: Path, begin: Begin) -> None:
    begin("shop:wait_for_stock")
    seen(node, "inner_wait")

    def printed(*words: str) -> str:
        command = [sys.executable, "-m", "clusterlib", *words]
        return subprocess.run(command, cwd=project, text=True, stdout=subprocess.PIPE, check=True).stdout

    assert "await asyncio.Event().wait()" in printed("stacks", "node1")
    assert json.loads(printed("stacks", "--json"))["nodes"].keys() == {"node1", "node2"}
    assert "samples of node1" in printed("flame", "node1", "--seconds", "0.2", "-o", "f.svg")
    assert (project / "f.svg").exists()
