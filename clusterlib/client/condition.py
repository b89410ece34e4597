"""Why a node does not answer.

A connection only knows that the node is unreachable; the keeper knows the reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from clusterlib.errors import CallTimeout, NodeUnavailable
from clusterlib.messages.states import NodeState
from clusterlib.messages.status import ClusterStatus, NodeStatus
from clusterlib.remedies import do

__all__ = ["explain", "notes_on_ended"]


UNDONE_BY = {NodeState.PAUSED: "cluster.resume", NodeState.STOPPED: "cluster.start"}


def explain(
    error: NodeUnavailable | CallTimeout, node: NodeStatus, *, stopped: bool = False
) -> NodeUnavailable | CallTimeout:
    """The same error with what the keeper knows of the node.

    `stopped`: a signal from outside has stopped its process."""
    what, cause, remedies = _condition(node, stopped=stopped)
    if not what:
        return error
    if isinstance(error, CallTimeout):
        return type(error)(
            error.problem, cause=f"it {what}: {cause}", evidence=error.evidence, remedies=remedies
        )
    seen = f"{error.problem}: {error.cause}" if error.cause else error.problem
    return type(error)(
        f"{node.name} {what}", cause=cause, evidence=[seen, *error.evidence], remedies=remedies
    )


def _condition(node: NodeStatus, *, stopped: bool) -> tuple[str, str, Sequence[str]]:
    """The node's state, the reason, and remedies; all empty if it should answer."""
    name, state, by = node.name, node.state, node.by
    when = _when(node.since)
    if state in UNDONE_BY:
        return (
            f"is {state}",
            f"{by or 'somebody'} {state} it {when}",
            [do(UNDONE_BY[state], name)],
        )
    if state == NodeState.DEAD:
        restart = [do("cluster.restart", name), do("cluster.logs", name)]
        if by:
            from clusterlib.messages.events import FaultKill  # the caller of `up` needs no events

            return f"was {FaultKill.done}", f"{by} {FaultKill.done} it {when}", restart
        return "is dead", f"{node.reason or 'it ended'}, {when}", restart
    if state == NodeState.READY:
        if stopped:
            return (
                "is paused",
                "a signal from outside of clusterlib has stopped its process (SIGSTOP)",
                [f"kill -CONT {node.pid}"],
            )
        return "", "", []
    return f"is {state}", f"{node.reason or 'it is so'} since {when}", [do("cluster.status")]


def _when(since: str) -> str:
    then = datetime.fromisoformat(since)
    ago = max(0.0, (datetime.now(UTC) - then).total_seconds())
    return f"at {then:%H:%M:%S}.{then.microsecond // 1000:03d} UTC, {ago:.1f} s ago"


def notes_on_ended(status: ClusterStatus) -> list[str]:
    """One note for each node that stays down, with the command that starts it."""
    return [
        f"{node.name} is {node.state}: " + do("cluster.start", node.name).of_cluster(status.name)
        for node in status.nodes
        if node.state in {NodeState.DEAD, NodeState.STOPPED}
    ]
