"""Start processes, send to them, and end them, whichever node they are on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from clusterlib.client.cluster import Cluster
from clusterlib.client.processes import home_of, node_to_start_on, owner_of
from clusterlib.drivers.processes import ProcessCalls, Spawning
from clusterlib.operations.declaring import operation
from clusterlib.operations.parameters import Completes, Help, OnNode, ProcessName
from clusterlib.operations.process_views import ProcessChange, ProcessChanged, ProcessStarted

__all__ = ["collect_garbage", "kill", "restart", "resume", "send", "start", "suspend", "terminate"]


@operation(effect="execute", group="cluster.processes")
def start(
    cluster: Cluster,
    function: Annotated[str, Help("What it runs: package.module:function.")],
    *arguments: str,
    registered: Annotated[str, Help("The name that it is found by.")] | None = None,
    prefer: Annotated[str, Completes("nodes"), Help("Run it on this node if it lives.")] | None = None,
    node: Annotated[str, Completes("nodes"), Help("Run it on this node, or not at all.")] | None = None,
    under: Annotated[str, Completes("processes"), Help("Make it a child of this supervisor.")] | None = None,
    restart: Annotated[
        Literal["never", "on-error", "always"], Help("When its supervisor starts it again.")
    ] = "never",
) -> ProcessStarted:
    """Start a process, and say where it landed. Its arguments follow `--`.

    Each argument is a value in the notation of the node; a node of Python takes other text as it
    is."""
    wanted = Spawning(function, arguments, registered, prefer, node, under, restart)
    asked = node_to_start_on(cluster, wanted)
    process = asked.ask_processes(lambda calls: calls.spawn(wanted, cluster.call_seconds))
    return ProcessStarted(
        cluster.name, function, process, home_of(process, [one.name for one in cluster]), prefer
    )


@operation(effect="change", group="cluster.processes")
def send(
    cluster: Cluster,
    process: ProcessName,
    message: Annotated[
        str, Help("A value in the notation of the node; a node of Python takes other text as it is.")
    ],
    *,
    node: OnNode | None = None,
) -> ProcessChanged:
    """Send a message to a process."""
    return _changed(
        "sent", cluster, process, node, lambda calls, one: calls.send(one, message, cluster.call_seconds)
    )


@operation(effect="change", group="cluster.processes", taints=True)
def suspend(cluster: Cluster, process: ProcessName, *, node: OnNode | None = None) -> ProcessChanged:
    """Suspend a process: it takes no messages until it is resumed; they wait in its mailbox."""
    return _changed(
        "suspended", cluster, process, node, lambda calls, one: calls.suspend(one, cluster.call_seconds)
    )


@operation(effect="change", group="cluster.processes")
def resume(cluster: Cluster, process: ProcessName, *, node: OnNode | None = None) -> ProcessChanged:
    """Resume a suspended process."""
    return _changed(
        "resumed", cluster, process, node, lambda calls, one: calls.resume(one, cluster.call_seconds)
    )


@operation(effect="change", group="cluster.processes")
def collect_garbage(cluster: Cluster, process: ProcessName, *, node: OnNode | None = None) -> ProcessChanged:
    """Collect the garbage of a process of an Erlang node."""
    return _changed(
        "collected",
        cluster,
        process,
        node,
        lambda calls, one: calls.collect_garbage(one, cluster.call_seconds),
    )


@operation(effect="destroy", group="cluster.processes", taints=False)
def restart(cluster: Cluster, process: ProcessName, *, node: OnNode | None = None) -> ProcessChanged:
    """End a process or a supervisor, start it again under its supervisor, and say its new id."""
    owner = owner_of(cluster, process, node)
    new = owner.node.ask_processes(lambda calls: calls.restart(owner.process, cluster.call_seconds))
    return ProcessChanged(cluster.name, "restarted", new, owner.node.name)


@operation(effect="destroy", group="cluster.processes")
def terminate(cluster: Cluster, process: ProcessName, *, node: OnNode | None = None) -> ProcessChanged:
    """End a process or a supervisor for good: its supervisor does not start it again."""
    return _changed(
        "terminated", cluster, process, node, lambda calls, one: calls.terminate(one, cluster.call_seconds)
    )


@operation(effect="destroy", group="cluster.processes")
def kill(
    cluster: Cluster,
    process: ProcessName,
    *,
    reason: Annotated[str, Help("The reason that monitors and linked processes get.")] = "killed",
    node: OnNode | None = None,
) -> ProcessChanged:
    """End a process as a failure would; its supervisor may start it again."""
    return _changed(
        "killed", cluster, process, node, lambda calls, one: calls.kill(one, reason, cluster.call_seconds)
    )


def _changed(
    what: ProcessChange,
    cluster: Cluster,
    process: str,
    node: str | None,
    act: Callable[[ProcessCalls, str], None],
) -> ProcessChanged:
    owner = owner_of(cluster, process, node)
    owner.node.ask_processes(lambda calls: act(calls, owner.process))
    return ProcessChanged(cluster.name, what, owner.process, owner.node.name)
