"""What people do with a cluster whose nodes have two roles: embedded nodes, and servers."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

import pytest

import clusterlib
from clusterlib.client.environment import environment_of
from clusterlib.doors.program.main import main
from clusterlib.errors import NotSupported, StaleCodeWarning, UsageError
from clusterlib.messages.findings import CheckOutcome
from clusterlib.operations.health import Health, examine_health
from clusterlib.operations.shell import NodeShell, run_own_shell
from clusterlib.waiting import Deadline, poll
from tests.functional.conftest import Start
from tests.roles import NAME, plan_with, role

STORE = f"""\
driver = "command"
watch = ["store/*.txt"]
[nodes]
count = 2
name = "store{{index}}"
[ports]
client = "28500-28999"
[command]
program = {sys.executable!r}
arguments = ["-m", "http.server", "--bind", "{{{{ node.address }}}}", "{{{{ node.ports.client }}}}"]
shell = ["echo", "the shell of {{{{ node.name }}}}"]
"""
Starts = Mapping[str, int]


@pytest.fixture
def cluster(project: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> clusterlib.Cluster:
    monkeypatch.chdir(project)
    (project / "profiles").mkdir()
    (project / "profiles/store.toml").write_text(STORE)
    (project / "store").mkdir()
    (project / "store/words.txt").write_text("old")
    (project / "shop.py").write_text("PRICE = 1\n\n\ndef price():\n    return PRICE\n")
    web = role("dev", "web", project, **{"nodes.count": 2})
    return start(plan_with(project, web, role("store", "store", project)))


def starts(cluster: clusterlib.Cluster) -> Starts:
    return {node.name: node.starts for node in cluster.status().nodes}


def row(health: Health, node: str) -> dict[str, CheckOutcome]:
    (found,) = [one for one in health.nodes if one.node == node]
    return {name: check.outcome for (_, name), check in zip(health.columns, found.checks, strict=True)}


def test_a_node_knows_its_role_and_nodes_are_found_by_role(cluster: clusterlib.Cluster) -> None:
    assert [(node.name, node.role) for node in cluster] == [
        ("web1", "web"),
        ("web2", "web"),
        ("store1", "store"),
        ("store2", "store"),
    ]
    assert cluster.nodes_of("store") == [cluster["store1"], cluster["store2"]]
    assert {name: one.driver for name, one in cluster.roles.items()} == {"web": "python", "store": "command"}
    with pytest.raises(UsageError, match="has no role 'db'") as caught:
        cluster.nodes_of("db")
    assert caught.value.evidence == ("its roles: web, store",)


def test_nothing_is_stale_right_after_the_start(cluster: clusterlib.Cluster) -> None:
    assert cluster["web1"].call("shop:price") == 1

    assert cluster.stale == ()
    with warnings.catch_warnings():
        warnings.simplefilter("error", StaleCodeWarning)
        clusterlib.attach(NAME).close()
    joined = clusterlib.up(name=NAME)
    assert joined.notes == (f"cluster '{NAME}' was running already",)
    joined.close()
    assert set(starts(cluster).values()) == {1}


EDITS = {
    "a file of the servers": ("store/words.txt", "new words", "store"),
    "a module that embedded nodes have loaded": ("shop.py", "def price():\n    return 22\n", "web"),
}


@pytest.mark.parametrize("what", EDITS)
@pytest.mark.parametrize("by", ["sync", "up"])
def test_after_an_edit_only_the_nodes_of_its_role_are_restarted(
    cluster: clusterlib.Cluster, project: Path, what: str, by: str
) -> None:
    file, text, edited = EDITS[what]
    for node in cluster.nodes_of("web"):
        assert node.call("shop:price") == 1
    (project / file).write_text(text)
    stale = cluster.stale
    assert stale == (str(project / file),)

    if by == "sync":
        synced = cluster.sync()
        assert synced.restarted == tuple(node.name for node in cluster.nodes_of(edited))
        assert synced.changed == (str(project / file),)
        assert synced.why == "nodes of this kind take new code only when they start"
        assert synced.looked_at[0] == "of role web: all its code"
        assert synced.looked_at[1].startswith("of role store: its program")
    else:
        joined = clusterlib.up(name=NAME)
        assert joined.notes[1:] == (
            f"its code had changed ({file}); the nodes of role {edited} were restarted",
        )
        joined.close()

    assert not cluster.stale
    assert starts(cluster) == {node.name: 2 if node.role == edited else 1 for node in cluster}
    assert cluster["web1"].call("shop:price") == (22 if edited == "web" else 1)


def test_the_health_of_every_node_is_examined_as_its_role_can_be(cluster: clusterlib.Cluster) -> None:
    health = examine_health(NAME)

    assert health.healthy, health
    assert [(one.node, one.role) for one in health.nodes] == [(node.name, node.role) for node in cluster]
    assert row(health, "web1")["reach"] is CheckOutcome.OK
    assert row(health, "web1")["answering"] is CheckOutcome.SKIPPED
    assert row(health, "store2")["answering"] is CheckOutcome.OK
    assert row(health, "store2")["rpc"] is CheckOutcome.SKIPPED
    assert {row(health, node.name)["started"] for node in cluster} == {CheckOutcome.OK}

    cluster["store1"].kill()
    cluster["web2"].pause()
    ill = examine_health(NAME)
    assert {one.node for one in ill.nodes if not one.healthy} >= {"web2", "store1"}
    assert {one.node for one in ill.nodes if one.healthy} >= {"store2"}
    assert row(ill, "store1")["started"] is row(ill, "web2")["started"] is CheckOutcome.FAILED
    cluster.heal()
    assert examine_health(NAME).healthy


def test_a_node_of_the_second_role_is_killed_restarted_stopped_and_started(
    cluster: clusterlib.Cluster,
) -> None:
    cluster["store2"].kill()
    assert cluster.state == "degraded"
    cluster["store2"].restart()
    cluster["store1"].stop()
    cluster["store1"].start()
    cluster["store1"].pause()
    cluster["store1"].resume()

    assert cluster.state == "ready"
    assert starts(cluster) == {"web1": 1, "web2": 1, "store1": 2, "store2": 2}
    cluster.restart("web1", "store1", rolling=True)
    assert starts(cluster) == {"web1": 2, "web2": 1, "store1": 3, "store2": 2}
    assert cluster.health().healthy


def test_the_status_shows_the_role_of_each_node(
    cluster: clusterlib.Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster["store2"].kill()

    assert main(["status", "--name", NAME]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    titles = next(number for number, line in enumerate(lines) if line[0] == "node")
    assert lines[titles][:4] == ["node", "role", "state", "pid"]
    assert [line[:3] for line in lines[titles + 1 : titles + 5]] == [
        ["web1", "web", "ready"],
        ["web2", "web", "ready"],
        ["store1", "store", "ready"],
        ["store2", "store", "dead"],
    ]
    assert main(["health", "--name", NAME]) == 1
    assert capsys.readouterr().out.splitlines()[1].split()[:3] == ["node", "role", "state"]
    assert main(["scale", "3", "--name", NAME]) == 2
    assert f"try: clusterlib scale 3 --role web --name {NAME}" in capsys.readouterr().err
    cluster.heal()
    assert main(["scale", "3", "--role", "store", "--name", NAME]) == 0
    assert len(cluster.status().nodes) == 5


def test_each_role_has_its_own_shell(cluster: clusterlib.Cluster, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_own_shell("web2", name=NAME) is None
    with NodeShell("web2", name=NAME) as shell:
        assert shell.evaluate("6 * 7").value == "42"

    assert run_own_shell("store2", name=NAME) == 0
    assert capfd.readouterr().out == "the shell of store2\n"
    with pytest.raises(NotSupported, match="nodes of the driver 'command' have no Python prompt"):
        NodeShell("store2", name=NAME)

    cluster["web1"].kill()
    with NodeShell(name=NAME) as shell:
        assert shell.node == "web2", "the first that is ready"


def test_the_second_role_is_scaled_and_its_new_nodes_can_be_used(cluster: clusterlib.Cluster) -> None:
    held = cluster["store2"]
    cluster.scale(3, role="store")
    assert cluster["store3"].role == "store"
    assert cluster.stale == ()
    cluster.scale(1, role="store")

    assert [node.name for node in cluster] == ["web1", "web2", "store1"]
    with pytest.raises(clusterlib.errors.NodeUnknown):
        held.status()
    assert cluster["web1"].call("shop:price") == 1


def test_a_program_finds_the_nodes_of_all_roles_in_its_environment(cluster: clusterlib.Cluster) -> None:
    nodes = environment_of(cluster)["CLUSTERLIB_NODES"].split(",")

    assert [node.partition("=")[0] for node in nodes] == ["web1", "web2", "store1", "store2"]
    assert nodes[2] == f"store1=127.0.0.1:{cluster['store1'].ports['client']}"


TESTS = """
def test_breaks_one_role_and_scales_the_other(cluster):
    cluster["store1"].kill()
    cluster.scale(3, role="web")


def test_has_what_the_one_before_had(cluster, cluster_nodes):
    assert [node.name for node in cluster_nodes] == ["web1", "web2", "store1", "store2"]
    assert cluster.state == "ready"
    assert cluster["web1"].call("shop:price") == 1
"""


def test_tests_that_use_it_get_it_repaired_and_with_the_size_of_each_role(
    cluster: clusterlib.Cluster, project: Path
) -> None:
    (project / "test_shop.py").write_text(TESTS)

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--distributed", "test_shop.py"],
        cwd=project,
        env={**os.environ, **environment_of(cluster)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr
    assert starts(cluster) == {"web1": 1, "web2": 1, "store1": 2, "store2": 1}


def test_simulated_roles_are_restarted_together_because_they_share_their_modules(
    project: Path, start: Start
) -> None:
    (project / "shop.py").write_text("def price():\n    return 1\n")
    front, back = (role("dev", name, project, **{"nodes.count": 1}) for name in ("front", "back"))
    cluster = start(plan_with(project, front, back, simulate=True))
    assert cluster["front1"].call("shop:price") == 1
    assert cluster.stale == ()
    (project / "shop.py").write_text("def price():\n    return 22\n")

    assert cluster.sync().restarted == ("front1", "back1")
    assert poll(lambda: cluster["back1"].call("shop:price") == 22, Deadline(5))
    assert cluster.stale == ()
