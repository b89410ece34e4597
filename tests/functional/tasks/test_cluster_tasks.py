"""The tasks that start, change and end clusters, as a user types them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.functional.tasks.calling import Invoke


def test_a_cluster_is_started_looked_at_and_ended(invoke: Invoke) -> None:
    up = invoke("cluster.up", "--nodes", "2")
    assert up.returncode == 0, up.stderr
    assert "cluster default is ready: 2 nodes" in up.stdout
    assert "node2 is ready" in up.stderr
    assert "\x1b" not in up.stdout + up.stderr

    again = invoke("cluster.up")
    assert again.returncode == 0, again.stderr
    assert "is running already: 2 nodes" in again.stdout

    status = invoke("cluster.status")
    assert status.returncode == 0
    assert "cluster default is ready" in status.stdout
    assert "2/2" in status.stdout

    down = invoke("cluster.down")
    assert down.returncode == 0
    assert "stopped default" in down.stdout

    nothing = invoke("cluster.down")
    assert nothing.returncode == 0
    assert "was not running" in nothing.stdout


def test_what_needs_a_cluster_says_that_there_is_none(invoke: Invoke, answer: Callable[..., Any]) -> None:
    for task in ("status", "health", "restart", "shell", "logs", "events"):
        done = invoke(f"cluster.{task}")
        assert done.returncode == 3, (task, done.stderr)
        assert "try: invoke cluster.up" in done.stderr
        assert "Traceback" not in done.stderr
    assert answer("cluster.status", code=3)["error"]["code"] == "not-running"


def test_every_answer_is_one_json_document(answer: Callable[..., Any]) -> None:
    up = answer("cluster.up", "--nodes", "2", "--simulate")
    assert up["already_running"] is False
    assert up["cluster"]["simulated"] is True
    assert [node["name"] for node in up["cluster"]["nodes"]] == ["node1", "node2"]

    [cluster] = answer("cluster.status")["clusters"]
    assert cluster["state"] == "ready"
    assert answer("cluster.health")["healthy"] is True
    assert answer("cluster.scale", "3")["added"] == ["node3"]
    assert answer("cluster.restart", "node1")["restarted"] == ["node1"]
    assert answer("cluster.shell", "-c", "6 * 7")["value"] == "42"
    assert answer("cluster.logs")["running"] is True
    assert "cluster.ready" in [event["kind"] for event in answer("cluster.events")["events"]]
    assert answer("cluster.down")["stopped"] == ["default"]
    assert len(answer("cluster.clean")["folders"]) == 1


def test_a_simulated_cluster_is_marked_wherever_it_is_shown(invoke: Invoke) -> None:
    up = invoke("cluster.up", "--simulate")

    assert "[SIMULATED]" in up.stdout
    assert "[SIMULATED]" in up.stderr
    assert "[SIMULATED]" in invoke("cluster.status").stdout
    assert "[SIMULATED]" in invoke("cluster.health").stdout
    assert "[SIMULATED]" in invoke("cluster.run", "--", "true").stderr


def test_a_node_can_be_disturbed_and_health_tells_with_a_remedy(
    invoke: Invoke, answer: Callable[..., Any]
) -> None:
    answer("cluster.up", "--nodes", "3")
    assert "healthy" in invoke("cluster.health").stdout

    assert answer("cluster.pause", "node2")["node"]["state"] == "paused"
    paused = invoke("cluster.health")
    assert paused.returncode == 1
    assert "try: invoke cluster.resume node2" in paused.stdout
    assert answer("cluster.resume", "node2")["node"]["state"] == "ready"

    stopped = answer("cluster.stop", "node2")
    assert (stopped["what"], stopped["node"]["state"], stopped["node"]["pid"]) == ("stop", "stopped", None)
    assert answer("cluster.stop", "node2")["node"]["state"] == "stopped"
    told = invoke("cluster.health")
    assert told.returncode == 1
    assert "try: invoke cluster.start node2" in told.stdout
    assert "dirty: node2 was stopped" in invoke("cluster.status").stdout
    assert invoke("cluster.start", "node2").stdout.strip() == "node2 is ready"
    assert "dirty" not in invoke("cluster.status").stdout

    assert answer("cluster.kill", "node3")["node"]["state"] == "dead"
    assert "try: invoke cluster.start node3" in invoke("cluster.stop", "node3").stderr
    killed = answer("cluster.health", code=1)
    [dead] = [node for node in killed["nodes"] if node["node"] == "node3"]
    assert dead["healthy"] is False

    assert answer("cluster.restart", "node3")["cluster"]["state"] == "ready"
    unknown = answer("cluster.kill", "node9", code=2)
    assert unknown["error"]["code"] == "unknown-node"


def test_a_node_stopped_behind_the_keepers_back_is_found_and_can_be_continued(
    answer: Callable[..., Any],
) -> None:
    up = answer("cluster.up", "--nodes", "3")
    pid = next(node["pid"] for node in up["cluster"]["nodes"] if node["name"] == "node2")
    os.kill(pid, signal.SIGSTOP)
    try:
        health = answer("cluster.health", code=1)
    finally:
        os.kill(pid, signal.SIGCONT)

    remedies = {
        remedy for node in health["nodes"] for finding in node["checks"] for remedy in finding["remedies"]
    }
    assert f"kill -CONT {pid}" in remedies


def test_nodes_are_added_and_removed_while_others_go_on(answer: Callable[..., Any]) -> None:
    before = answer("cluster.up", "--nodes", "2")["cluster"]["nodes"]

    assert answer("cluster.scale", "4")["added"] == ["node3", "node4"]
    smaller = answer("cluster.scale", "2")

    assert smaller["removed"] == ["node3", "node4"]
    assert [node["pid"] for node in smaller["cluster"]["nodes"]] == [node["pid"] for node in before]


def test_several_clusters_live_side_by_side(invoke: Invoke, answer: Callable[..., Any]) -> None:
    answer("cluster.up", "--nodes", "1")
    answer("cluster.up", "--nodes", "1", "--name", "second")

    both = answer("cluster.status")["clusters"]
    assert sorted(cluster["name"] for cluster in both) == ["default", "second"]
    assert len(answer("cluster.status", "--name", "second")["clusters"]) == 1
    assert sorted(answer("cluster.down", "--all")["stopped"]) == ["default", "second"]
    assert "no cluster of this project was running" in invoke("cluster.down", "--all").stdout


def test_another_profile_under_the_same_name_is_a_conflict(answer: Callable[..., Any]) -> None:
    answer("cluster.up", "--nodes", "1")

    error = answer("cluster.up", "--profile", "ci-large", code=1)["error"]

    assert error["code"] == "conflict"
    assert error["remedies"]


def test_an_application_that_does_not_start_fails_with_its_own_words(invoke: Invoke, shop: Path) -> None:
    (shop / "app.py").write_text("def start():\n    raise ValueError('no database at db:5432')\n")

    done = invoke("cluster.up", CLUSTERLIB_PYTHON_APP="app:start")

    assert done.returncode == 1
    assert "no database at db:5432" in done.stderr
    assert "[application-failed]" in done.stderr
    assert invoke("cluster.status").returncode == 3
