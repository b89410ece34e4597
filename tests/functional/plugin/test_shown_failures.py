"""What a failing test, and a start that takes long, show in the terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.functional.plugin.suite import Suite

pytestmark = pytest.mark.usefixtures("talks")


def test_a_failing_test_shows_what_each_node_said_and_what_happened_during_it(suite: Suite) -> None:
    ended = suite.run("--distributed")

    failures = ended.text.partition("_ test_fails _")[2]
    first, _, second = failures.partition("_ test_fails_silently _")
    assert re.search(r"- node1: \d lines? during this test -", first)
    assert re.search(r"^\d\d:\d\d:\d\d\.\d{3} the last words$", first, re.MULTILINE)
    assert "of another test" not in first
    happened = first.partition("cluster: what happened")[2]
    assert "node3 was killed" in happened
    assert "node3 is dead: killed by SIGKILL" in happened
    assert "node3 printed nothing" in first
    assert "node1, node2, node3 printed nothing" in second.partition("=====")[0]
    assert "what happened" not in second.partition("=====")[0]


def test_what_nodes_said_shows_no_secret_in_the_terminal(suite: Suite) -> None:
    suite.file(
        "tests/test_talks.py",
        """
import os

def test_fails(cluster):
    cluster["node1"].run(print, "connecting with", os.environ["SHOP_PW"], "to postgres://joe:letmein@db")
    assert cluster == 2
""",
    )

    ended = suite.run("--distributed", SHOP_PW="correct horse")

    assert "connecting with [redacted] to postgres://joe:[redacted]@db" in ended.text


def test_a_test_that_does_not_end_in_time_shows_the_stacks_of_the_nodes_that_it_called(suite: Suite) -> None:
    suite.load("timeout")
    suite.file(
        "shop.py",
        """
import asyncio

async def wait_for_stock():
    await asyncio.Event().wait()
""",
    )
    suite.file(
        "tests/test_talks.py",
        """
import pytest

@pytest.mark.timeout(4, func_only=True, method="signal")
def test_hangs(cluster):
    cluster["node2"].call("shop:wait_for_stock")
""",
    )

    ended = suite.run("--distributed")

    assert ended.last == "1 failed", ended.text
    told = ended.text.partition("- node2: its stacks at the time-out -")[2]
    assert "in wait_for_stock" in told
    assert "node1: its stacks" not in ended.text, "it was not called"
    for name in ("report.html", "junit.xml", "records/main.jsonl"):
        _, title, after = (
            (suite.reports[-1] / name).read_text().partition("node2: its stacks at the time-out")
        )
        assert title, name
        assert "in wait_for_stock" in after, name


RESTLESS = """
def test_restless(cluster):
    for _ in range(12):
        cluster["node2"].kill()
        cluster["node2"].restart()
    cluster["node3"].kill()
    assert 1 == 2
"""


def test_of_much_that_happened_the_first_and_the_last_lines_are_shown(suite: Suite) -> None:
    suite.file("tests/test_talks.py", RESTLESS)

    ended = suite.run("--distributed")

    happened = ended.text.partition("cluster: what happened -")[2].split("\n-")[0].split("\n=")[0]
    lines = happened.strip("-\n").splitlines()
    assert "node2 was killed" in lines[0]
    assert "node3 is dead" in lines[-1]
    assert len(lines) == 31
    (note,) = [line for line in lines if "left out" in line]
    found = re.fullmatch(r"\.\.\. (\d+) lines are left out; all of them are in (.+events\.jsonl)", note)
    assert found, note
    assert int(found[1]) >= 20
    assert Path(found[2]).read_text().count('"fault.kill"') == 13


def test_talkative_nodes_leave_the_summary_on_the_screen(suite: Suite) -> None:
    suite.file(
        "tests/test_talks.py",
        """
import pytest

def talk(count):
    for number in range(count):
        print(f"line {number} of many")
    print("x" * 5000)

@pytest.mark.cluster_size(5)
def test_fails(cluster):
    for node in cluster:
        node.run(talk, 4 if node.name == "node1" else 200)
    assert 1 == 2
""",
    )

    ended = suite.run("--distributed")
    told = [line for line in ended.lines if " of many" in line or "xxx" in line]
    more = suite.run("--distributed", "-o", "cluster_log_lines=100")

    assert 50 < len(told) <= 60
    assert max(map(len, told)) < 400
    assert ended.one("- node1: 5 lines during this test -"), "who says little is shown whole"
    assert len(ended.matching("of many")) < len(more.matching("of many")) <= 100


def test_only_nodes_that_were_there_can_have_said_nothing(suite: Suite) -> None:
    suite.file(
        "tests/test_talks.py",
        """
import pytest

def test_grows(cluster, with_cluster_size):
    with with_cluster_size(5):
        assert 1 == 2

def test_after_it(cluster):
    assert 3 == 4
""",
    )

    ended = suite.run("--distributed")

    first, _, second = ended.text.partition("_ test_after_it _")
    assert "node1, node2, node3, node4, node5 printed nothing" in first
    assert "node1, node2, node3 printed nothing" in second


def test_as_many_lines_are_shown_as_was_asked_for(suite: Suite) -> None:
    suite.file(
        "tests/test_talks.py",
        "def test_it(cluster):\n"
        "    for number in range(20):\n        cluster['node1'].run(print, f'line-{number}')\n"
        "    assert False\n",
    )

    some = suite.run("--distributed", "-o", "cluster_log_lines=3")
    none = suite.run("--distributed", CLUSTERLIB_TESTS_LOG_LINES="0")

    assert re.findall(r"line-\d+$", some.text, re.MULTILINE) == ["line-17", "line-18", "line-19"]
    assert "node1: the last 3 lines during this test" in some.text
    assert "during this test" not in none.text


def test_verbose_tells_what_happens_as_it_happens(suite: Suite) -> None:
    ended = suite.run("--distributed", "--cluster-verbose")

    told = [line.removeprefix("clusterlib: ") for line in ended.matching("clusterlib: ")]
    assert "starting cluster pytest: 3 nodes, profile dev" in told
    assert "tests/test_talks.py::test_before has cluster pytest (started)" in told
    assert "restarting node3" in told
    assert "tests/test_talks.py::test_fails_silently has cluster pytest (reused)" in told


def test_a_start_that_takes_long_says_what_it_waits_for(suite: Suite) -> None:
    suite.file("slow.py", "import threading\ndef main():\n    threading.Event().wait(3)\n")
    suite.configure('[tool.clusterlib]\npython.app = "slow:main"\n')

    ended = suite.run("--distributed", "-k", "before")

    assert ended.last.startswith("1 passed"), ended.text
    assert "tests/test_talks.py::test_before has waited 2 s for a cluster" in ended.text
    assert "of 3 nodes are ready" in ended.text
