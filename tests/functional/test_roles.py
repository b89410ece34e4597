"""Clusters with two roles. Profiles have one each, so the plan is made of two plans."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

import clusterlib
from clusterlib.client.start import lock_of
from clusterlib.errors import NodeExited, NotSupported, UsageError
from clusterlib.messages.plan import RolePlan
from clusterlib.messages.states import ClusterState, NodeState
from clusterlib.waiting import Deadline, poll
from tests.functional.conftest import Start
from tests.roles import NAME, plan_with, role

STORE = """\
driver = "command"
restart.policy = "on-failure"
[nodes]
count = 2
name = "store{index}"
[ports]
client = "28000-28499"
[command]
program = "python3"
arguments = ["-m", "http.server", "--bind", "{{ node.address }}", "{{ node.ports.client }}"]
"""


@pytest.fixture
def store(project: Path) -> RolePlan:
    (project / "profiles").mkdir()
    (project / "profiles/store.toml").write_text(STORE)
    return role("store", "store", project)


def answers(cluster: clusterlib.Cluster, name: str) -> bool:
    port = cluster[name].ports["client"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as reply:
        return bool(reply.status == 200)


def test_embedded_nodes_and_servers_live_in_one_cluster(start: Start, project: Path, store: RolePlan) -> None:
    web = role("dev", "web", project, **{"nodes.count": 2})
    cluster = start(plan_with(project, web, store, **{"restart.policy": "on-failure"}))

    status = cluster.status()
    assert status.state is ClusterState.READY
    assert [(node.name, node.role) for node in status.nodes] == [
        ("web1", "web"),
        ("web2", "web"),
        ("store1", "store"),
        ("store2", "store"),
    ]
    assert [(one.name, one.driver) for one in status.roles] == [("web", "python"), ("store", "command")]
    assert cluster["web1"].members() == ["web1", "web2"]
    assert cluster["web1"].run(lambda: 6 * 7) == 42
    assert answers(cluster, "store1")
    with pytest.raises(NotSupported, match=r"store1 takes no calls.*driver 'command'"):
        cluster["store1"].call("os:getpid")

    cluster["web2"].kill()
    cluster["store2"].kill()
    assert poll(lambda: cluster.status().state is ClusterState.READY, Deadline(20))
    assert {node.name: node.starts for node in cluster.status().nodes} == {
        "web1": 1,
        "web2": 2,
        "store1": 1,
        "store2": 2,
    }
    assert cluster["web1"].members() == ["web1", "web2"]
    assert answers(cluster, "store2")


def test_a_request_to_scale_names_the_role(start: Start, project: Path, store: RolePlan) -> None:
    web = role("dev", "web", project, **{"nodes.count": 1})
    cluster = start(plan_with(project, web, store))

    with pytest.raises(UsageError, match="has several roles, and none was named") as caught:
        cluster.scale(3)
    assert caught.value.evidence == ("its roles: web, store",)
    assert caught.value.remedies == (
        f"invoke cluster.scale 3 --role web --name {NAME}",
        f"invoke cluster.scale 3 --role store --name {NAME}",
    )
    with pytest.raises(UsageError, match="has no role 'db'"):
        cluster.scale(3, role="db")
    cluster.scale(3, role="web")
    assert [node.name for node in cluster] == ["web1", "web2", "web3", "store1", "store2"]
    cluster.scale(1, role="store")
    assert [node.name for node in cluster.nodes_of("store")] == ["store1"]
    assert cluster["web3"].members() == ["web1", "web2", "web3"]
    assert cluster.state is ClusterState.READY


@pytest.mark.parametrize("simulate", [False, True])
def test_two_roles_of_embedded_nodes_do_not_see_each_other(
    start: Start, project: Path, simulate: bool
) -> None:
    roles = (role("dev", name, project, **{"nodes.count": 2}) for name in ("front", "back"))
    cluster = start(plan_with(project, *roles, simulate=simulate))

    assert cluster["front1"].members() == ["front1", "front2"]
    assert cluster["back2"].members() == ["back1", "back2"]
    ports = [port for node in cluster.status().nodes for port in node.ports.values()]
    assert len(set(ports)) == len(ports) == 8

    cluster["back1"].kill()
    assert poll(lambda: cluster["back2"].members() == ["back2"], Deadline(20))
    assert cluster["front1"].members() == ["front1", "front2"]
    assert cluster.status().state is ClusterState.DEGRADED
    cluster.heal()
    assert cluster["back2"].members() == ["back1", "back2"]
    assert all(node.state is NodeState.READY for node in cluster.status().nodes)


def test_a_role_whose_program_fails_ends_the_start_and_leaves_nothing(
    start: Start, project: Path, store: RolePlan
) -> None:
    web = role("dev", "web", project, **{"nodes.count": 1})
    broken = role("store", "store", project, **{"command.arguments": ["-c", "raise SystemExit(3)"]})

    with pytest.raises(NodeExited, match="store"):
        start(plan_with(project, web, broken))
    assert lock_of(project, NAME).is_free()
