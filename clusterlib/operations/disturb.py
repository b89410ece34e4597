"""Stop, start, kill, pause or resume a node."""

from __future__ import annotations

from enum import StrEnum

from clusterlib.client.cluster import Cluster
from clusterlib.frozen import frozen
from clusterlib.operations.declaring import operation
from clusterlib.operations.parameters import NodeName
from clusterlib.operations.result import Result
from clusterlib.operations.views import NodeView

__all__ = ["Disturbance", "Disturbed", "kill", "pause", "resume", "start", "stop"]


class Disturbance(StrEnum):
    STOP = "stop"
    START = "start"
    KILL = "kill"
    PAUSE = "pause"
    RESUME = "resume"


@frozen
class Disturbed(Result):
    cluster: str
    what: Disturbance
    node: NodeView
    """Its state afterwards."""


@operation(effect="destroy", taints=False)
def stop(cluster: Cluster, node: NodeName) -> Disturbed:
    """Stop a node in order; it stays down until cluster.start, and the others go on."""
    cluster[node].stop()
    return _after(Disturbance.STOP, cluster, node)


@stop.foresees
def _foresee_stop(cluster: Cluster, node: NodeName) -> list[str]:
    seen = cluster[node].status()
    if seen.pid is None:
        return []
    return [f"{node} (pid {seen.pid}) would be stopped in order, and stay down until cluster.start"]


@operation(effect="change")
def start(cluster: Cluster, node: NodeName) -> Disturbed:
    """Start a node that is down, and wait until it is back among the others."""
    cluster[node].start()
    return _after(Disturbance.START, cluster, node)


@operation(effect="destroy", taints=False)
def kill(cluster: Cluster, node: NodeName) -> Disturbed:
    """Kill a node with SIGKILL, as a crash would."""
    cluster[node].kill()
    return _after(Disturbance.KILL, cluster, node)


@kill.foresees
def _foresee_kill(cluster: Cluster, node: NodeName) -> list[str]:
    seen = cluster[node].status()
    if seen.pid is None:
        return []
    return [f"{node} (pid {seen.pid}) would be killed with SIGKILL, with all its processes"]


@operation(effect="change")
def pause(cluster: Cluster, node: NodeName) -> Disturbed:
    """Suspend a node (SIGSTOP): it stays alive but stops responding."""
    cluster[node].pause()
    return _after(Disturbance.PAUSE, cluster, node)


@operation(effect="change")
def resume(cluster: Cluster, node: NodeName) -> Disturbed:
    """Resume a paused node."""
    cluster[node].resume()
    return _after(Disturbance.RESUME, cluster, node)


def _after(what: Disturbance, cluster: Cluster, node: str) -> Disturbed:
    return Disturbed(cluster.name, what, NodeView.of(cluster[node].status()))
