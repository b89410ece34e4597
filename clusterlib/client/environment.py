"""The environment variables by which a program finds a cluster."""

from __future__ import annotations

from clusterlib.client.cluster import Cluster
from clusterlib.messages.status import ClusterStatus

__all__ = ["environment_of"]


def environment_of(cluster: Cluster, status: ClusterStatus | None = None) -> dict[str, str]:
    """`clusterlib.attach()` needs only the first two.

    The status is requested if it is not given."""
    nodes = (cluster.status() if status is None else status).nodes
    variables = {
        "CLUSTERLIB_NAME": cluster.name,
        "CLUSTERLIB_PROJECT": str(cluster.project),
        "CLUSTERLIB_PROFILE": cluster.profile,
        "CLUSTERLIB_RUN": str(cluster.run_folder.path),
        "CLUSTERLIB_COOKIE_FILE": str(cluster.cookie_file),
    }
    variables["CLUSTERLIB_NODES"] = ",".join(
        f"{node.name}={node.address}:{port}" for node in nodes for port in [*node.ports.values()][:1]
    )
    variables["CLUSTERLIB_HTTP"] = ",".join(
        f"{node.name}=http://{node.address}:{node.ports['http']}" for node in nodes if "http" in node.ports
    )
    return variables
