"""Put load on the nodes of a running cluster, and measure how they answer."""

from __future__ import annotations

from typing import Annotated, Literal

from clusterlib.client.cluster import Cluster
from clusterlib.frozen import frozen
from clusterlib.load.judging import Effort, limits_of
from clusterlib.load.orders import TargetKind
from clusterlib.load.results import LoadFault, LoadLimit, LoadLoop, LoadRow, LoadSecond
from clusterlib.load.running import LoadOrder, run_load
from clusterlib.machine.facts import detect_machine
from clusterlib.messages.status import NodeStatus
from clusterlib.operations.declaring import Caller, operation
from clusterlib.operations.load_targets import LoadWish, check_nodes, request_of
from clusterlib.operations.parameters import Completes, Help
from clusterlib.operations.result import Result
from clusterlib.values.fields import Between

__all__ = ["LoadResult", "LoadTick", "load"]

MOST_CLIENTS = 10_000
INTERRUPTED = 130


@frozen
class LoadTick(Result):
    """A second has passed."""

    measured: LoadSecond


@frozen
class LoadResult(Result):
    cluster: str
    target: str
    kind: TargetKind
    loop: LoadLoop
    rate: float | None
    """Requests a second of an open loop."""
    clients: int
    processes: int
    """Processes of clients."""
    seconds: float
    interrupted: bool
    nodes: tuple[LoadRow, ...]
    total: LoadRow
    unsent: int
    """Requests of an open loop that were never sent, because all clients were waiting."""
    series: tuple[LoadSecond, ...]
    faults: tuple[LoadFault, ...]
    """What broke and came back meanwhile."""
    clients_cpu: tuple[float, ...]
    """For each process of clients, its share of one processor."""
    limits: tuple[LoadLimit, ...]
    """Why the figures say less about the nodes than they seem to; empty if nothing is known."""
    simulated: bool

    @property
    def exit_status(self) -> int:
        return INTERRUPTED if self.interrupted else 0


@operation(effect="execute")
def load(
    cluster: Cluster,
    caller: Caller,
    target: Annotated[
        str | None,
        Help("A function of the project (shop:checkout), or the path of a URL (/health) of the nodes."),
    ] = None,
    *command: str,
    clients: Annotated[int, Between(1, MOST_CLIENTS), Help("How many send requests at the same time.")] = 10,
    seconds: Annotated[float, Between(0.1, 86400), Help("How long.")] = 10.0,
    rate: Annotated[
        float | None,
        Between(0.01, 10_000_000),
        Help("Requests a second, sent whether earlier ones are answered or not. Default: closed loop."),
    ] = None,
    only: Annotated[
        tuple[str, ...], Completes("nodes"), Help("The nodes that get the load. Default: all.")
    ] = (),
    processes: Annotated[
        int | None, Between(1, 64), Help("Processes of clients. Default: half as many as processors.")
    ] = None,
    method: Annotated[
        Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], Help("Of HTTP requests.")
    ] = "GET",
    body: Annotated[str | None, Help("Of HTTP requests.")] = None,
    port: Annotated[
        str | None, Help("The name of the nodes' port, for HTTP requests. Default: http.")
    ] = None,
    timeout: Annotated[float, Between(0.001, 3600), Help("Seconds that a request may take.")] = 10.0,
) -> LoadResult:
    """Put load on the nodes, and measure how they answer: latency, throughput and errors of each.

    The target can also be a command, after `--`, which is run for each request. Ctrl-C ends the
    load; what was measured until then is shown."""
    request = request_of(LoadWish(target, command, method, body, port, timeout))
    nodes = _chosen(cluster, only)
    check_nodes(request, nodes, clients)
    machine = detect_machine()
    count = processes or max(1, min(int(machine.cpus) // 2, 8))
    order = LoadOrder(request, clients, seconds, rate, count, nodes)
    found = run_load(cluster, order, lambda second: caller.show(LoadTick(second)))
    sent = found.total.requests + found.total.failed
    effort = Effort(
        clients_cpu=found.clients_cpu,
        late=found.late,
        wanted=rate,
        sent=sent / found.seconds if found.seconds else 0.0,
        nodes=1 if cluster.simulated else len(cluster),
        processors=machine.cpus,
        simulated=cluster.simulated,
        lost=found.lost,
        commands=clients if request.kind is TargetKind.COMMAND else 0,
        command_share=_share(found.commands_cpu, found.total, sent),
    )
    return LoadResult(
        cluster=cluster.name,
        target=request.target,
        kind=request.kind,
        loop=LoadLoop.CLOSED if rate is None else LoadLoop.OPEN,
        rate=rate,
        clients=clients,
        processes=len(found.clients_cpu),
        seconds=found.seconds,
        interrupted=found.interrupted,
        nodes=found.nodes,
        total=found.total,
        unsent=found.unsent,
        series=found.series,
        faults=found.faults,
        clients_cpu=found.clients_cpu,
        limits=limits_of(effort),
        simulated=cluster.simulated,
    )


def _share(cpu: float, total: LoadRow, sent: int) -> float:
    """The processor time of a command, as a part of the latency."""
    mean = total.latency.mean if total.latency is not None else 0.0
    return cpu / sent / mean if sent and mean else 0.0


def _chosen(cluster: Cluster, only: tuple[str, ...]) -> tuple[NodeStatus, ...]:
    return tuple(cluster[name].status() for name in dict.fromkeys(only)) if only else cluster.status().nodes
