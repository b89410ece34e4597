"""What embedded nodes do now: their stacks, and a flame graph of some seconds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clusterlib.client.cluster import Cluster
from clusterlib.errors import ClusterError, UsageError
from clusterlib.frozen import frozen
from clusterlib.messages.observed import Activity
from clusterlib.operations.declaring import operation
from clusterlib.operations.flame_graph import flame_graph
from clusterlib.operations.parameters import NodeName, PictureFile, SampleRate, SampleSeconds
from clusterlib.operations.result import Result
from clusterlib.remedies import do

__all__ = ["FlameGraphWritten", "NodeActivities", "flame", "stacks"]


SVG = b"<svg "


@frozen
class NodeActivities(Result):
    cluster: str
    nodes: Mapping[str, Activity]
    missing: Mapping[str, str]
    """The nodes that could not be asked, with the reason."""


@frozen
class FlameGraphWritten(Result):
    cluster: str
    node: str
    file: str
    seconds: float
    samples: int
    idle: int
    """Samples in which the event loop waited for work."""
    cost: float
    """The share of one processor that the sampling took."""


@operation(effect="read")
def stacks(cluster: Cluster, node: NodeName | None = None) -> NodeActivities:
    """Show what the threads and tasks of Python nodes do now, also if an event loop is blocked."""
    if node is not None:
        return NodeActivities(cluster.name, {node: cluster[node].activity()}, {})
    found, missing = dict[str, Activity](), dict[str, str]()
    for one in cluster:
        try:
            found[one.name] = one.activity()
        except ClusterError as error:
            missing[one.name] = f"{error.problem}: {error.cause}" if error.cause else error.problem
    return NodeActivities(cluster.name, found, missing)


@operation(effect="change", taints=False)
def flame(
    cluster: Cluster,
    node: NodeName,
    *,
    seconds: SampleSeconds = 5.0,
    rate: SampleRate = 100,
    output: PictureFile | None = None,
) -> FlameGraphWritten:
    """Sample what a Python node does for some seconds, and draw it as a flame graph (SVG)."""
    path = Path(output or f"{node}.flame.svg").absolute()
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", cause=f"{path.name} is to be written there")
    if path.exists() and not _is_picture(path):
        raise UsageError(f"{path} is no SVG, and is not replaced", remedies=[do("cluster.flame", node)])
    taken = cluster[node].samples(seconds, rate)
    title = f"{node} of cluster {cluster.name}: {taken.seconds:g} s, {taken.samples} samples"
    picture = flame_graph(taken, title, [str(cluster.project)])
    try:
        path.write_text(picture, "utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written", cause=error.strerror or str(error)) from error
    return FlameGraphWritten(
        cluster.name, node, str(path), taken.seconds, taken.samples, taken.idle, taken.cost
    )


def _is_picture(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(SVG)) == SVG
    except OSError:
        return False
