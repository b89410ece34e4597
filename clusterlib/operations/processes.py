"""Look at the processes of a cluster, whichever node they are on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

from clusterlib.client.cluster import Cluster
from clusterlib.client.processes import ASK_SECONDS, ask_nodes, home_of, owner_of
from clusterlib.messages.processes import NameView, ProcessOrder, ProcessRow
from clusterlib.operations.declaring import operation
from clusterlib.operations.parameters import Help, NodeName, OnNode, ProcessName
from clusterlib.operations.process_views import (
    NodeLoad,
    NodeTrees,
    ProcessList,
    ProcessNames,
    ProcessRegistries,
    ProcessShown,
    ProcessTrees,
    RegisteredName,
    SharedName,
)
from clusterlib.operations.showing import without_secrets
from clusterlib.values.fields import Between

__all__ = ["list_processes", "names", "registries", "show", "tree"]

KEYS: Mapping[ProcessOrder, Callable[[ProcessRow], tuple[int, int]]] = {
    ProcessOrder.MESSAGES: lambda row: (row.messages, row.work),
    ProcessOrder.WORK: lambda row: (row.work, row.messages),
    ProcessOrder.MEMORY: lambda row: (row.memory or 0, row.messages),
}


@operation(effect="read", group="cluster.processes", name="list")
def list_processes(
    cluster: Cluster,
    node: NodeName | None = None,
    *,
    order: Annotated[
        Literal["messages", "work", "memory"], Help("Show first those with the most of it.")
    ] = "messages",
    limit: Annotated[int, Between(1, 1000), Help("Show so many.")] = 20,
    matching: Annotated[str, Help("Only those with this text in their name or function.")] | None = None,
) -> ProcessList:
    """List the busiest processes of all nodes, or of one.

    Each node chooses its own first ones, and sends only these."""
    by = ProcessOrder(order)
    answers = ask_nodes(cluster, lambda calls: calls.busiest(by, limit, matching, ASK_SECONDS), node)
    rows = [row for found in answers.of.values() for row in found.rows]
    rows.sort(key=KEYS[by], reverse=True)
    return ProcessList(
        cluster.name,
        cluster.simulated,
        by,
        tuple(rows[:limit]),
        tuple(NodeLoad(found.node, found.count, found.lag) for found in answers.of.values()),
        tuple(answers.unasked),
    )


@operation(effect="read", group="cluster.processes")
def show(cluster: Cluster, process: ProcessName, *, node: OnNode | None = None) -> ProcessShown:
    """Show one process: its state, mailbox, links, monitors, supervisors, stack and variables."""
    owner = owner_of(cluster, process, node)
    detail = owner.node.ask_processes(lambda calls: calls.detail(owner.process, ASK_SECONDS))
    return without_secrets(ProcessShown(cluster.name, detail), cluster.name, project=cluster.project)


@operation(effect="read", group="cluster.processes")
def names(cluster: Cluster, node: NodeName | None = None) -> ProcessNames:
    """List the registered names, with the process and the node of each, and who disagrees."""
    answers = ask_nodes(cluster, lambda calls: calls.names(ASK_SECONDS), node)
    seen: dict[str, dict[str, list[str]]] = {}
    for asked, found in answers.of.items():
        for name, process in found.items():
            seen.setdefault(name, {}).setdefault(process, []).append(asked)
    known = [one.name for one in cluster]
    rows = tuple(_shared(name, owners, known) for name, owners in sorted(seen.items()))
    return ProcessNames(cluster.name, rows, tuple(answers.unasked))


def _shared(name: str, owners: Mapping[str, Sequence[str]], nodes: Sequence[str]) -> SharedName:
    """The process that most nodes see is the owner; of several, the first."""
    counted = Counter({process: len(owners[process]) for process in sorted(owners)})
    process = counted.most_common(1)[0][0]
    others = tuple(sorted(owners.keys() - {process}))
    return SharedName(name, process, home_of(process, nodes), tuple(owners[process]), others)


@operation(effect="read", group="cluster.processes")
def registries(
    cluster: Cluster,
    node: NodeName | None = None,
    *,
    matching: Annotated[str, Help("Only those with this text in their name or registry.")] | None = None,
) -> ProcessRegistries:
    """List the names in all registries, also those that only one node knows.

    On Erlang and Elixir nodes: local names, `global`, the groups of `pg`, Registry and Horde."""
    answers = ask_nodes(cluster, lambda calls: calls.registered(ASK_SECONDS), node)
    seen: dict[NameView, list[str]] = {}
    for asked, views in answers.of.items():
        for view in views:
            if matching is None or matching in view.name or matching in view.registry:
                seen.setdefault(view, []).append(asked)
    known = [one.name for one in cluster]
    rows = [
        RegisteredName(view.registry, view.name, view.process, home_of(view.process, known), tuple(seen_by))
        for view, seen_by in seen.items()
    ]
    rows.sort(key=lambda row: (row.registry, row.name, row.process))
    return ProcessRegistries(cluster.name, tuple(rows), tuple(answers.unasked))


@operation(effect="read", group="cluster.processes")
def tree(cluster: Cluster, node: NodeName | None = None) -> ProcessTrees:
    """Show the supervision trees of all nodes, or of one, with restarts and their reasons."""
    answers = ask_nodes(cluster, lambda calls: calls.trees(ASK_SECONDS), node)
    found = tuple(NodeTrees(name, tuple(trees)) for name, trees in answers.of.items())
    shown = ProcessTrees(cluster.name, found, tuple(answers.unasked))
    return without_secrets(shown, cluster.name, project=cluster.project)
