"""What nodes are expected to take: what is written, never the default."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterlib.health.expectation import Expected
from clusterlib.messages.plan import CodeSources
from clusterlib.messages.status import ClusterStatus, RoleStatus
from clusterlib.operations.expecting import expected_before, expected_of
from clusterlib.profiles import load_profile
from tests.statuses import cluster_status, node_status

SAID = "profile box (profiles/box.toml)"


def status(project: Path, origin: str = SAID, **changes: object) -> ClusterStatus:
    role = RoleStatus("node", "command", origin, CodeSources())
    box = {"project": str(project), "run": "", "profile": "box", "roles": (role,)}
    return cluster_status(**{**box, "nodes": (node_status(memory=100),) * 2, **changes})


def test_a_node_is_expected_to_take_what_is_written(tmp_path: Path) -> None:
    assert expected_of(status(tmp_path))["node"] == Expected(100, f"nodes.memory: {SAID}")


def test_simulated_nodes_are_one_process_that_may_take_as_much_as_all_of_them(tmp_path: Path) -> None:
    assert expected_of(status(tmp_path, simulated=True))["node"] == Expected(200, f"nodes.memory: {SAID}")


def test_each_role_is_expected_to_take_what_is_written_for_it(tmp_path: Path) -> None:
    roles = tuple(RoleStatus(name, "python", f"profile {name}", CodeSources()) for name in ("web", "store"))
    nodes = (node_status(name="web1", role="web", memory=100), node_status(role="store", memory=7))

    assert expected_of(status(tmp_path, roles=roles, nodes=nodes)) == {
        "web": Expected(100, "nodes.memory: profile web"),
        "store": Expected(7, "nodes.memory: profile store"),
    }
    together = Expected(107, "nodes.memory: profile web and profile store")
    simulated = expected_of(status(tmp_path, simulated=True, roles=roles, nodes=nodes))
    assert simulated == {"web": together, "store": together}


def test_nothing_is_expected_by_a_default(tmp_path: Path) -> None:
    assert expected_of(status(tmp_path, origin="")) == {"node": None}
    assert expected_of(status(tmp_path, nodes=())) == {"node": None}
    assert expected_before(load_profile("dev", project=tmp_path, environ={}), tmp_path) is None


def test_what_is_written_counts_also_where_it_is_the_amount_of_the_default(tmp_path: Path) -> None:
    resolved = load_profile(
        "dev", project=tmp_path, environ={"CLUSTERLIB_NODES_MEMORY": "32MiB"}, overrides={"nodes.count": 2}
    )

    assert expected_before(resolved, tmp_path) == Expected(
        32 * 2**20, "nodes.memory: environment CLUSTERLIB_NODES_MEMORY"
    )


@pytest.mark.parametrize("shipped", ["redis", "etcd", "postgres", "beam"])
def test_what_a_shipped_profile_says_of_its_program_is_written_too(tmp_path: Path, shipped: str) -> None:
    found = expected_before(load_profile(shipped, project=tmp_path, environ={}), tmp_path)

    assert found is not None
    assert found.why.startswith(f"nodes.memory: profile {shipped} (profiles/{shipped}.toml:")
    assert found.why.endswith(", shipped)")
