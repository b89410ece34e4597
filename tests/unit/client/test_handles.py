"""The handles of nodes while nodes come and go."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clusterlib.client.handles import NodeHandles
from clusterlib.errors import UsageError
from clusterlib.messages.plan import CodeSources
from clusterlib.messages.status import ClusterStatus, RoleStatus
from tests.statuses import cluster_status, node_status

ROLES = tuple(RoleStatus(name, "python", "", CodeSources()) for name in ("web", "store"))
CLUSTER: Any = SimpleNamespace(name="shop", cookie_file=Path("/cookie"))


def seen(**nodes: str) -> ClusterStatus:
    """A status with these nodes, each with its role."""
    return cluster_status(
        roles=ROLES, nodes=tuple(node_status(name=name, role=role) for name, role in nodes.items())
    )


def test_a_node_keeps_its_handle_as_long_as_it_belongs_to_the_cluster() -> None:
    handles = NodeHandles(CLUSTER, seen(n1="web", n2="store"))
    first = handles.nodes["n1"]

    handles.meet(seen(n1="web", n3="store"))

    assert handles.nodes["n1"] is first
    assert {name: node.role for name, node in handles.nodes.items()} == {"n1": "web", "n3": "store"}


def test_a_node_of_another_role_with_the_name_of_one_that_is_gone_has_a_handle_of_its_own() -> None:
    handles = NodeHandles(CLUSTER, seen(n1="web", n2="web"))
    gone = handles.nodes["n2"]

    handles.meet(seen(n1="web", n2="store"))

    assert handles.nodes["n2"] is not gone
    assert handles.of("store") == [handles.nodes["n2"]]


def test_an_unknown_role_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="cluster 'shop' has no role 'db'") as caught:
        NodeHandles(CLUSTER, seen(n1="web")).of("db")

    assert caught.value.evidence == ("its roles: web, store",)
