"""The shell of a node, logs and events, as a user types them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clusterlib.waiting import Deadline, poll
from tests.functional.tasks.calling import PATIENCE, Invoke, environment, words


def test_a_prompt_reads_statements_from_a_pipe(invoke: Invoke) -> None:
    invoke("cluster.up", "--nodes", "2")
    session = "import shop\ndef f(n):\n    return shop.total(n)\n\nf(4)\n_ + 1\nthis_node().name\n"

    done = invoke("cluster.shell", "node2", stdin=session)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["asked for 4", "8", "9", "'node2'"]


def test_an_exception_in_the_node_ends_the_script_and_is_shown(invoke: Invoke) -> None:
    invoke("cluster.up", "--nodes", "1")

    piped = invoke("cluster.shell", stdin="1 / 0\nprint('not reached')\n")
    given = invoke("cluster.shell", "-c", "1 / 0")

    for done in (piped, given):
        assert done.returncode == 1
        assert "ZeroDivisionError" in done.stderr
        assert done.stdout == ""


def test_logs_are_merged_filtered_and_outlive_the_cluster(invoke: Invoke, answer: Callable[..., Any]) -> None:
    answer("cluster.up", "--nodes", "2")
    for node, number in (("node1", 1), ("node2", 2), ("node1", 3)):
        answer("cluster.shell", node, "-c", f"import os; os.write(1, b'order {number}\\n')")
    wanted = [("node1", "order 1"), ("node2", "order 2"), ("node1", "order 3")]

    def said(*arguments: str) -> list[tuple[str, str]]:
        lines = answer("cluster.logs", *arguments)["lines"]
        return [(line["node"], line["text"]) for line in lines]

    assert poll(lambda: len(said("--grep", "^order")) == 3, Deadline(20))
    assert said("--grep", "^order") == wanted
    assert said("node2", "--grep", "^order", "--since", "1h") == wanted[1:2]
    answer("cluster.down")
    assert said("--grep", "^order", "--lines", "1") == wanted[2:]
    assert "last run" in invoke("cluster.logs").stderr


def test_followed_logs_and_events_end_with_the_cluster(invoke: Invoke, shop: Path) -> None:
    invoke("cluster.up", "--nodes", "1")
    followers = [
        subprocess.Popen(
            words(task, "--follow"),
            cwd=shop,
            env=environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for task in ("cluster.logs", "cluster.events")
    ]
    invoke("cluster.shell", "-c", "import os; os.write(1, b'last words\\n')")
    invoke("cluster.down")

    logs, events = (follower.communicate(timeout=PATIENCE) for follower in followers)

    assert [follower.returncode for follower in followers] == [0, 0]
    assert "last words" in logs[0]
    assert "cluster stopped" in events[0]


def test_a_reader_that_leaves_early_is_no_error(invoke: Invoke, shop: Path) -> None:
    invoke("cluster.up", "--nodes", "1")

    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m invoke cluster.events | head -1"],
        cwd=shop,
        env=environment(),
        text=True,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )

    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""
