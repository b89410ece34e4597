"""A node keeps the same promises whether it is a process or simulated."""

from __future__ import annotations

import importlib
import signal
import sys
import threading
import types
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from clusterlib.errors import CallTimeout, NodeUnavailable, RemoteError, UsageError
from clusterlib.runtime.client import NodeClient
from clusterlib.runtime.pickling import RemoteTraceback
from clusterlib.waiting import Deadline, poll
from tests.contract.node_grid import PATIENCE, Grid

SHOP = """
import asyncio, contextlib, logging, os, sys, threading
from clusterlib.runtime import this_node

together = threading.Barrier(50)
served = {}

class Cart:
    @staticmethod
    def total(*prices, factor=1):
        return factor * sum(prices)

class OutOfStock(Exception):
    def __init__(self, article, left):
        super().__init__(f"{article}: {left} left")
        self.article, self.left = article, left
    def __reduce__(self):
        return OutOfStock, (self.article, self.left)

class Stubborn(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")
        self.one = one

class Wordy(Exception):
    def __init__(self, article):
        super().__init__(f"there is no {article}")

class Locked(Exception):
    def __init__(self):
        super().__init__("locked")
        self.lock = threading.Lock()

def buy(article):
    raise OutOfStock(article, 0)

def sulk():
    raise Stubborn(1, 2)

def explain(article):
    try:
        {}[article]
    except KeyError as error:
        raise Wordy(article) from error

def lock_out():
    raise Locked

def meet():
    return together.wait(20)

def leave():
    sys.exit(3)

async def leave_later():
    await asyncio.sleep(0)
    raise KeyboardInterrupt

async def double(number):
    await asyncio.sleep(0)
    return 2 * number

def wait_for_ever(path):
    open(path, "w").close()
    threading.Event().wait()

async def await_for_ever(path):
    open(path, "w").close()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        open(path + ".cancelled", "w").close()
        raise

def lock():
    return threading.Lock()

def size(data):
    return len(data)

def make(count):
    return bytes(count)

def where():
    here = this_node()
    return here.name, here.cluster, here.simulated, here.members()

async def where_async():
    return where()

def ask(other):
    return this_node().call(other, "shop:where")[0]

def ask_code(other):
    return this_node().run(other, lambda: this_node().name)

async def ask_async(other):
    return await this_node().call_async(other, "shop:Cart.total", 1, 2)

async def ask_wrongly(other):
    return this_node().call(other, "shop:where")

def speak(text):
    print(text)
    print(text.upper(), file=sys.stderr)

def use_late():
    import late
    return late.VALUE

def open_shop():
    print("the shop opens")
    served["open"] = True

async def open_shop_later():
    await asyncio.sleep(0)
    served["open"] = True

def burn_down():
    raise RuntimeError("the shop burns")
"""


@pytest.fixture(scope="module", params=["real", "simulated"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def new_grid(mode: str, folder: Path) -> Grid:
    code = folder / "code"
    code.mkdir()
    (code / "shop.py").write_text(SHOP)
    (code / "late.py").write_text("VALUE = 1\n")
    return Grid(folder, code, simulated=mode == "simulated")


@pytest.fixture(scope="module")
def grid(mode: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    """Three nodes that nobody breaks."""
    grid = new_grid(mode, tmp_path_factory.mktemp(mode))
    try:
        grid.start(3)
        yield grid
    finally:
        grid.close()


@pytest.fixture
def fragile(mode: str, tmp_path: Path) -> Iterator[Grid]:
    """A grid for one test, not started yet."""
    grid = new_grid(mode, tmp_path)
    try:
        yield grid
    finally:
        grid.close()


@pytest.fixture
def client(grid: Grid) -> NodeClient:
    return grid["node1"].client


# -- calls ---------------------------------------------------------------------------------------


def test_a_call_reaches_a_function_by_its_name(client: NodeClient) -> None:
    assert client.call("shop:Cart.total", (1, 2, 3), {"factor": 2}) == 12


def test_a_coroutine_function_is_awaited(client: NodeClient) -> None:
    assert client.call("shop:double", (21,)) == 42


def test_a_closure_a_lambda_and_a_local_class_travel_as_code(client: NodeClient) -> None:
    class Local:
        def __init__(self, value: int) -> None:
            self.value = value

    factor = 6
    assert client.run(lambda number: number * factor, (7,)) == 42
    answer = client.run(lambda: Local(factor))
    assert type(answer) is Local
    assert answer.value == 6


def test_code_of_a_module_that_the_node_lacks_travels_along(client: NodeClient) -> None:
    module = types.ModuleType("only_here")
    exec(
        "LIMIT = 5\ndef helper(x): return x + LIMIT\ndef run(x): return helper(x)\nclass Thing: pass",
        module.__dict__,
    )
    sys.modules["only_here"] = module
    try:
        assert client.run(module.run, (1,)) == 6
        assert type(client.run(lambda thing: thing, (module.Thing(),))) is module.Thing
    finally:
        del sys.modules["only_here"]


@pytest.fixture
def shop(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The project's own module, as the caller imports it."""
    monkeypatch.syspath_prepend(grid.code)
    try:
        yield importlib.import_module("shop")
    finally:
        sys.modules.pop("shop", None)


def test_an_exception_of_the_project_arrives_as_itself_with_the_remote_traceback(
    client: NodeClient, shop: Any
) -> None:
    with pytest.raises(shop.OutOfStock, match="tea: 0 left") as raised:
        client.call("shop:buy", ("tea",))
    assert (raised.value.article, raised.value.left) == ("tea", 0)
    assert isinstance(raised.value.__cause__, RemoteTraceback)
    assert "on node1" in str(raised.value.__cause__)
    assert "raise OutOfStock(article, 0)" in str(raised.value.__cause__)


def test_an_exception_arrives_as_itself_whatever_arguments_its_class_wants(
    client: NodeClient, shop: Any
) -> None:
    with pytest.raises(shop.Stubborn, match=r"^1 and 2$") as raised:
        client.call("shop:sulk")
    assert raised.value.one == 1


def test_a_chain_of_exceptions_arrives_with_all_its_tracebacks_and_its_message_once(
    client: NodeClient, shop: Any
) -> None:
    with pytest.raises(shop.Wordy, match=r"^there is no tea$") as raised:
        client.call("shop:explain", ("tea",))
    told = str(raised.value.__cause__)
    assert "KeyError: 'tea'" in told
    assert "direct cause of the following exception" in told
    assert "raise Wordy(article) from error" in told


def test_an_exception_that_holds_what_cannot_travel_becomes_a_remote_error(
    client: NodeClient, shop: Any
) -> None:
    with pytest.raises(RemoteError, match=r"shop\.Locked: locked"):
        client.call("shop:lock_out")


def test_a_builtin_exception_is_raised_as_itself(client: NodeClient) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        client.run(lambda: 1 // 0)
    assert isinstance(raised.value.__cause__, RemoteTraceback)
    assert "on node1" in str(raised.value.__cause__)
    assert "_run" not in str(raised.value.__cause__)  # no frames of ours


def test_an_exception_whose_class_the_caller_lacks_becomes_a_remote_error_with_its_traceback(
    client: NodeClient,
) -> None:
    assert "shop" not in sys.modules
    with pytest.raises(RemoteError) as raised:
        client.call("shop:sulk")
    assert "shop.Stubborn: 1 and 2" in raised.value.problem
    assert any("raise Stubborn(1, 2)" in line for line in raised.value.evidence)


@pytest.mark.parametrize(
    ("target", "hints"),
    [
        ("shop:Cart.totl", ["has no 'totl'", "'total'"]),
        ("shopp:Cart", ["no module 'shopp'", "'shop'"]),
        ("shop.Cart.total", ["is not a target", "'shop.Cart:total'"]),
        ("shop:served", ["cannot be called"]),
    ],
)
def test_a_target_that_is_not_there_is_explained(client: NodeClient, target: str, hints: list[str]) -> None:
    with pytest.raises(RemoteError) as raised:
        client.call(target)
    for hint in hints:
        assert hint in str(raised.value)


def test_a_result_that_cannot_travel_is_named(client: NodeClient) -> None:
    with pytest.raises(RemoteError, match=r"_thread\.lock"):
        client.call("shop:lock")


def test_arguments_that_cannot_travel_are_refused_before_they_are_sent(client: NodeClient) -> None:
    with pytest.raises(UsageError, match="cannot be sent"):
        client.call("shop:size", (threading.Lock(),))


@pytest.mark.parametrize(
    ("target", "name"), [("shop:leave", "SystemExit"), ("shop:leave_later", "KeyboardInterrupt")]
)
def test_a_function_cannot_end_the_node(client: NodeClient, target: str, name: str) -> None:
    with pytest.raises(RemoteError, match=name):
        client.call(target)
    assert client.ping() < PATIENCE


def test_fifty_calls_run_at_once(client: NodeClient) -> None:
    with ThreadPoolExecutor(50) as threads:
        places = list(threads.map(lambda _: client.call("shop:meet"), range(50)))
    assert sorted(places) == list(range(50))


def test_a_call_that_takes_too_long_is_given_up_and_the_node_goes_on(grid: Grid, client: NodeClient) -> None:
    with pytest.raises(CallTimeout, match=r"0\.1 s"):
        client.call("shop:wait_for_ever", (str(grid.folder / "started"),), timeout=0.1)
    assert client.call("shop:Cart.total", (1,)) == 1


def test_a_coroutine_whose_caller_left_is_cancelled(grid: Grid, client: NodeClient) -> None:
    path = grid.folder / "awaiting"
    with pytest.raises(CallTimeout):
        client.call("shop:await_for_ever", (str(path),), timeout=0.2)
    assert poll(Path(f"{path}.cancelled").exists, Deadline(PATIENCE))


def test_a_hundred_megabytes_travel_both_ways_while_the_nodes_keep_seeing_each_other(grid: Grid) -> None:
    client = grid["node2"].client
    count = 100_000_000

    def there_and_back() -> int:
        assert client.call("shop:size", (bytes(count),)) == count
        return len(client.call("shop:make", (count,)))

    before = {name: node.get("/members")[1]["version"] for name, node in grid.nodes.items()}
    with ThreadPoolExecutor(1) as thread:
        transfer = thread.submit(there_and_back)
        while not transfer.done():
            for node in grid.nodes.values():
                assert node.client.members() == ["node1", "node2", "node3"]
        assert transfer.result() == count
    # Every change of a view has a number: there was none, not even one too short to be seen from here.
    assert {name: node.get("/members")[1]["version"] for name, node in grid.nodes.items()} == before


def test_a_client_in_a_fork_does_not_talk_on_the_connections_of_its_parent(client: NodeClient) -> None:
    client.ping()
    client._pid = -1  # as after a fork
    assert client.call("shop:Cart.total", (2,)) == 2


# -- where code runs -----------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["shop:where", "shop:where_async"])
def test_code_on_a_node_knows_where_it_is(grid: Grid, mode: str, target: str) -> None:
    for name, node in grid.nodes.items():
        assert node.client.call(target) == (name, "grid", mode == "simulated", ["node1", "node2", "node3"])


def test_code_on_a_node_reaches_other_nodes(client: NodeClient) -> None:
    assert client.call("shop:ask", ("node2",)) == "node2"
    assert client.call("shop:ask_code", ("node3",)) == "node3"
    assert client.call("shop:ask_async", ("node2",)) == 3


def test_a_coroutine_is_told_not_to_block_its_node(client: NodeClient) -> None:
    with pytest.raises(UsageError, match="would block"):
        client.call("shop:ask_wrongly", ("node2",))


def test_what_code_prints_goes_to_the_output_of_its_node(grid: Grid) -> None:
    grid["node2"].client.call("shop:speak", ("hear me",))
    assert poll(lambda: "hear me\nHEAR ME\n" in grid["node2"].said(), Deadline(PATIENCE))
    assert "hear me" not in grid["node1"].said()


def test_the_digest_names_the_own_modules_and_which_of_them_are_stale(grid: Grid) -> None:
    client = grid["node3"].client
    client.call("shop:use_late")
    digest = client.digest()
    loaded = {name for name in digest.modules if not name.startswith("tests.")}  # of tests before
    assert loaded == {"shop", "late"}
    assert digest.stale == ()
    late = grid.code / "late.py"
    late.write_text("VALUE = 2\n")
    assert client.digest().stale == ("late",)
    late.write_text("VALUE = 1\n")


# -- health --------------------------------------------------------------------------------------


def test_health_is_told_over_http(grid: Grid, mode: str) -> None:
    status, page = grid["node1"].get("/health")
    assert status == 200
    assert page["members"] == page["expected"] == ["node1", "node2", "node3"]
    assert page["simulated"] is (mode == "simulated")
    assert (page["node"], page["state"]) == ("node1", "running")
    assert grid["node1"].get("/members")[1]["status"]["node2"] == "alive"
    assert grid["node1"].get("/metrics")[1]["memory"] > 0


def test_other_pages_and_methods_are_errors(grid: Grid) -> None:
    assert grid["node1"].get("/secrets")[0] == 404
    assert grid["node1"].get("/health", "POST")[0] == 405


# -- membership ----------------------------------------------------------------------------------


def test_a_killed_node_is_noticed_by_all_and_by_its_callers(fragile: Grid) -> None:
    fragile.start(4)
    victim = fragile["node2"]
    started = fragile.folder / "started"
    with ThreadPoolExecutor(1) as thread:
        call = thread.submit(victim.client.call, "shop:wait_for_ever", (str(started),))
        assert poll(started.exists, Deadline(PATIENCE))
        victim.signal(signal.SIGKILL)
        with pytest.raises(NodeUnavailable, match="went away"):
            call.result(PATIENCE)
    assert victim.wait_for_end() == -signal.SIGKILL
    fragile.wait_for_views(["node1", "node3", "node4"])
    with pytest.raises(NodeUnavailable, match="not reachable"):
        victim.client.ping()
    assert fragile["node1"].get("/health")[0] == 503


def test_a_restarted_node_is_back_for_all(fragile: Grid) -> None:
    fragile.start(3)
    for name in fragile.nodes:
        fragile[name].kill()
        fragile.wait_for_views(set(fragile.nodes) - {name})
        fragile[name].start()
        fragile.wait_for_views(fragile.nodes)
        assert fragile[name].client.call("shop:Cart.total", (1,)) == 1


def test_connections_to_a_former_life_of_a_node_are_never_an_error(fragile: Grid) -> None:
    fragile.start(2)
    node = fragile["node2"]
    with ThreadPoolExecutor(50) as threads:
        assert len(list(threads.map(lambda _: node.client.call("shop:meet"), range(50)))) == 50
        node.kill()
        node.start()
        fragile.wait_for_views(fragile.nodes)
        assert len(list(threads.map(lambda _: node.client.call("shop:meet"), range(50)))) == 50


def test_a_paused_node_is_noticed_and_comes_back_by_itself(fragile: Grid) -> None:
    fragile.start(3)
    paused = fragile["node3"]
    paused.signal(signal.SIGSTOP)
    fragile.wait_for_views(["node1", "node2"])
    with pytest.raises(CallTimeout):
        paused.client.ping(timeout=0.1)
    paused.signal(signal.SIGCONT)
    fragile.wait_for_views(fragile.nodes)
    assert paused.client.call("shop:Cart.total", (1,)) == 1


def test_a_node_that_is_asked_to_stop_leaves_at_once_and_cleanly(fragile: Grid) -> None:
    fragile.start(3)
    fragile["node2"].order(do="stop")
    fragile.wait_for_views(["node1", "node3"])
    assert fragile["node2"].wait_for_end() == 0
    fragile["node1"].signal(signal.SIGTERM)
    fragile.wait_for_views(["node3"])
    assert fragile["node1"].wait_for_end() == 0
    assert "dead" not in fragile["node3"].said()


def test_the_roster_grows_and_shrinks_live(fragile: Grid) -> None:
    fragile.start(2)
    fragile.plan("node3")
    fragile["node3"].start()
    for name in ("node1", "node2"):
        fragile[name].order(do="peers", peers=fragile.roster)
    fragile.wait_for_views(["node1", "node2", "node3"])
    fragile["node1"].order(do="stop")
    assert fragile["node1"].wait_for_end() == 0
    rest = [fragile[name].peer for name in ("node2", "node3")]
    for name in ("node2", "node3"):
        fragile[name].order(do="peers", peers=rest)
    fragile.wait_for_views(["node2", "node3"])
    assert poll(lambda: fragile["node2"].get("/health")[0] == 200, Deadline(PATIENCE))


def test_twenty_nodes_see_each_other_through_a_sparse_overlay(fragile: Grid, mode: str) -> None:
    if mode == "real":
        pytest.skip(
            "twenty interpreters started one by one are too slow; tests/functional/test_many_nodes.py forks them"
        )
    fragile.start(20)
    fragile["node7"].kill()
    fragile["node8"].signal(signal.SIGSTOP)
    rest = set(fragile.nodes) - {"node7", "node8"}
    fragile.wait_for_views(rest)
    fragile["node8"].signal(signal.SIGCONT)
    fragile["node7"].start()
    fragile.wait_for_views(fragile.nodes)
    # Links that were made to look for the lost are closed soon after.
    assert poll(lambda: fragile["node1"].get("/metrics")[1]["links"] < 15, Deadline(PATIENCE))


def test_a_node_does_not_outlive_its_keeper(fragile: Grid) -> None:
    fragile.start(2)
    fragile["node1"].control.close()
    assert fragile["node1"].wait_for_end() == 1


# -- the app -------------------------------------------------------------------------------------


@pytest.mark.parametrize("app", ["shop:open_shop", "shop:open_shop_later", None])
def test_a_node_serves_once_its_app_has_started(fragile: Grid, app: str | None) -> None:
    fragile.start(1, app=app)
    fragile["node1"].wait_for("serving")
    kinds = [event["event"] for event in fragile["node1"].events]
    assert kinds[0] == "listening"
    assert fragile["node1"].client.run(lambda: "open" in __import__("shop").served) is (app is not None)


@pytest.mark.parametrize(
    ("app", "told"),
    [("shop:burn_down", "RuntimeError: the shop burns"), ("shop:opn_shop", "has no 'opn_shop'")],
)
def test_an_app_that_fails_is_told_and_ends_the_node(fragile: Grid, app: str, told: str) -> None:
    fragile.start(1, app=app)
    error = fragile["node1"].wait_for("failed")["error"]
    assert error["code"] == "application-failed"
    assert told in f"{error['problem']} {error['cause']}"
    assert fragile["node1"].wait_for_end() == 1
    assert told in fragile["node1"].said()


def test_a_node_that_breaks_at_its_start_ends_alone_and_says_why(fragile: Grid) -> None:
    fragile.start(1)
    fragile.plan("node2")
    fragile["node2"].start(cookie_file="\0")
    assert fragile["node2"].wait_for_end() == 1
    assert "embedded null" in fragile["node2"].said()
    assert fragile["node1"].client.ping() < PATIENCE


def test_a_wrong_configuration_is_reported_whole_and_starts_nothing(fragile: Grid) -> None:
    fragile.plan("node1")
    fragile["node1"].start(peers=[], detect=-1)
    assert fragile["node1"].wait_for_end() == 2
    said = fragile["node1"].said()
    assert "detect: must be more than 0" in said
    assert "peers: 'node1' itself is missing" in said
    assert "Traceback" not in said
