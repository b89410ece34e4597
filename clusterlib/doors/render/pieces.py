"""Parts that several results share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clusterlib.remedies import do

if TYPE_CHECKING:
    from clusterlib.client.processes import Unasked
    from clusterlib.doors.console import Console
    from clusterlib.operations.views import ClusterView, NodeView

__all__ = ["adapted", "addresses", "colour", "counted", "duration", "several", "title", "unasked"]

MOST_NODES = 20


def title(console: Console, cluster: ClusterView) -> str:
    mark = f" {console.paint('[SIMULATED]', 'magenta')}" if cluster.simulated else ""
    return f"cluster {console.paint(cluster.name, 'bold')}{mark}"


def counted(cluster: ClusterView) -> str:
    count = len(cluster.nodes)
    return f"{count} node{'' if count == 1 else 's'}"


def adapted(console: Console, cluster: ClusterView) -> None:
    for text in cluster.adaptations:
        console.note(f"adapted {text}")


def addresses(console: Console, nodes: Sequence[NodeView]) -> None:
    shown = nodes[:MOST_NODES]
    width = max((len(node.name) for node in shown), default=0)
    for index, node in enumerate(shown):
        console.line(
            f"  {console.paint.node(node.name.ljust(width), index)}  {node.endpoint}  {node.url or ''}".rstrip()
        )
    if len(nodes) > len(shown):
        console.line(f"  and {len(nodes) - len(shown)} more: {console.wording(do('cluster.status'))}")


def several(items: Sequence[str], most: int = 5) -> str:
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")


def colour(state: str) -> str:
    from clusterlib.doors.paint import STATES

    return STATES.get(state, "")


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def unasked(console: Console, nodes: Sequence[Unasked]) -> None:
    """The nodes that gave no answer."""
    for one in nodes:
        console.note(f"{one.node} ({one.state}) gave no answer: {one.why}")
