"""Asks server programs with their own clients: all nodes at once, and one that hangs does not hold
up the others."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from clusterlib.client.cluster import Cluster
from clusterlib.client.processes import Answers, ask_each
from clusterlib.errors import CallTimeout, NotSupported, ServerRefused
from clusterlib.hosts.captured import run_captured
from clusterlib.hosts.command_groups import TIMED_OUT
from clusterlib.messages.status import NodeStatus
from clusterlib.remedies import do

__all__ = [
    "ANSWER_SECONDS",
    "ask_client",
    "ask_one",
    "ask_servers",
    "parsed_answer",
    "places",
    "served_nodes",
]

T = TypeVar("T")
ANSWER_SECONDS = 5.0
"""For one node to answer, if its client is quick."""
MOST_LINES = 10
"""Of what a client has printed, as evidence."""


def ask_servers(
    cluster: Cluster, serves: Collection[str], node: str | None, ask: Callable[[NodeStatus], T]
) -> Answers[T]:
    """Asks all nodes that the operation serves, or one of them. Raises the error of one if none has
    answered."""
    return ask_each(cluster, served_nodes(cluster, serves, node), lambda one: one.ask(ask))


def ask_one(cluster: Cluster, serves: Collection[str], node: str, ask: Callable[[NodeStatus], T]) -> T:
    return ask_servers(cluster, serves, node, ask).of[node]


def served_nodes(cluster: Cluster, serves: Collection[str], node: str | None = None) -> list[NodeStatus]:
    """Raises NotSupported for a node that is another server."""
    status = cluster.status()
    served = [one for one in status.nodes if status.role_of(one).is_served_by(serves)]
    if node is None:
        return served
    asked = cluster[node].status()
    if all(one.name != node for one in served):
        role = status.role_of(asked)
        raise NotSupported(
            f"{node} is no {' or '.join(serves)}",
            cause=f"it is {role.server or role.driver}; those served are {', '.join(one.name for one in served)}",
            remedies=[do("cluster.status")],
        )
    return [asked]


def ask_client(
    node: NodeStatus, words: Sequence[str], *, seconds: float = ANSWER_SECONDS, program: str = ""
) -> str:
    """What the client of the server prints for these words: the shell of its profile, or another
    program with the same options.

    Raises CallTimeout, and ServerRefused if it ends with an error."""
    if node.shell is None:
        raise NotSupported(
            f"{node.name} cannot be asked",
            cause="its profile does not say how its client is called",
            remedies=["shell = [...] in [command] of the profile"],
        )
    called, *options = node.shell.command
    command = [program or called, *options, *words]
    done = run_captured(command, environment={**os.environ, **node.shell.environment}, timeout=seconds)
    if done.code == TIMED_OUT:
        raise CallTimeout(f"{node.name} has not answered within {seconds:g} s", evidence=_last(done.errors))
    if done.code != 0:
        said = _last(done.errors or done.output)
        raise ServerRefused(
            f"{node.name} does not do that: {said[-1] if said else f'exit code {done.code}'}",
            cause=f"{command[0]} ended with exit code {done.code}",
            evidence=said,
            remedies=[do("cluster.logs", node.name)],
        )
    return done.output


def parsed_answer(node: NodeStatus, text: str) -> Any:
    """An answer in JSON. Raises ServerRefused for anything else."""
    try:
        return json.loads(text)
    except ValueError:
        raise ServerRefused(
            f"{node.name} has not answered in JSON",
            evidence=_last(text),
            remedies=[do("cluster.logs", node.name)],
        ) from None


def places(nodes: Sequence[NodeStatus]) -> dict[str, str]:
    """The names of nodes by `address:port`, for each of their ports."""
    return {f"{one.address}:{port}": one.name for one in nodes for port in one.ports.values()}


def _last(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()][-MOST_LINES:]
