"""Examine a running cluster, or the machine before there is one."""

from __future__ import annotations

from clusterlib.client.cluster import Cluster
from clusterlib.operations.declaring import Caller, operation
from clusterlib.operations.doctor import Diagnosis, examine_machine
from clusterlib.operations.health import Health, examine_health
from clusterlib.operations.parameters import ProfileName

__all__ = ["doctor", "health"]


@operation(effect="read")
def health(cluster: Cluster) -> Health:
    """Check every node of a running cluster: connectivity, application, cluster, performance."""
    return examine_health(cluster.name, project=cluster.project)


@operation(effect="read")
def doctor(caller: Caller, *, profile: ProfileName | None = None) -> Diagnosis:
    """Check this machine and project: can a cluster of that profile start? Starts nothing."""
    return examine_machine(profile, project=caller.project)
