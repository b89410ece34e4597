"""Whom an operation serves: the servers or drivers that it is marked with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clusterlib.errors import NotSupported
from clusterlib.remedies import do

if TYPE_CHECKING:
    from clusterlib.client.cluster import Cluster

__all__ = ["check_served", "is_served"]


def is_served(serves: Sequence[str], cluster: Cluster) -> bool:
    """Whether some nodes of the cluster are of a kind that the operation serves."""
    return any(role.is_served_by(serves) for role in cluster.roles.values())


def check_served(operation: str, serves: Sequence[str], cluster: Cluster) -> None:
    """Raises NotSupported, with the operations that serve this cluster."""
    if is_served(serves, cluster):
        return
    kinds = dict.fromkeys(role.server or role.driver for role in cluster.roles.values())
    raise NotSupported(
        f"{operation} cannot be used on cluster '{cluster.name}'",
        cause=f"it serves clusters of {' or '.join(serves)}; this one is of {' and '.join(kinds)}",
        remedies=cluster.operations_of_its_servers() or [do("cluster.operations")],
    ).of_cluster(cluster.name)
