"""Made by clusterlib.operations.generating of the operations of clusterlib: the methods that a Cluster has by them."""

from typing import Any, Literal, overload

from clusterlib.operations.disturb import Disturbed
from clusterlib.operations.dry_run import Foreseen
from clusterlib.operations.health import Health
from clusterlib.operations.load import LoadResult
from clusterlib.operations.observe import FlameGraphWritten, NodeActivities
from clusterlib.operations.process_views import (
    ProcessChanged,
    ProcessList,
    ProcessNames,
    ProcessRegistries,
    ProcessShown,
    ProcessStarted,
    ProcessTrees,
)
from clusterlib.operations.servers.etcd import EtcdLeader, EtcdMoved, EtcdStatus
from clusterlib.operations.servers.postgres import PostgresActivity, PostgresCancelled, PostgresReplication
from clusterlib.operations.servers.redis import (
    RedisClientKilled,
    RedisClients,
    RedisFailover,
    RedisSlowlog,
    RedisTopology,
)
from clusterlib.operations.sync import Synchronised
from clusterlib.remedies import Remedy

class EtcdOperations:
    def leader(self, node: str | None = ...) -> EtcdLeader:
        """Say which member of an etcd cluster leads, as all members see it, or one."""
    def move_leader(self, node: str) -> EtcdMoved:
        """Make this member of an etcd cluster its leader, and wait until it is."""
    def status(self, node: str | None = ...) -> EtcdStatus:
        """Show the members of an etcd cluster: who leads, and how far each has come."""

class PostgresOperations:
    def activity(self, node: str | None = ...) -> PostgresActivity:
        """List what the clients of PostgreSQL do, at all nodes or at one, the longest first."""
    def cancel(self, node: str, backend: int, *, close: bool = ...) -> PostgresCancelled:
        """Cancel the query of one client of PostgreSQL."""
    def replication(self, node: str | None = ...) -> PostgresReplication:
        """Show which nodes are primary or replica, and how far the replicas are behind."""

class ProcessesOperations:
    def collect_garbage(self, process: str, *, node: str | None = ...) -> ProcessChanged:
        """Collect the garbage of a process of an Erlang node."""
    @overload
    def kill(
        self,
        process: str,
        *,
        reason: str = ...,
        node: str | None = ...,
        dry_run: Literal[True],
    ) -> Foreseen:
        """End a process as a failure would; its supervisor may start it again."""
    @overload
    def kill(self, process: str, *, reason: str = ..., node: str | None = ...) -> ProcessChanged:
        """End a process as a failure would; its supervisor may start it again."""
    def list(
        self,
        node: str | None = ...,
        *,
        order: Literal["messages", "work", "memory"] = ...,
        limit: int = ...,
        matching: str | None = ...,
    ) -> ProcessList:
        """List the busiest processes of all nodes, or of one."""
    def names(self, node: str | None = ...) -> ProcessNames:
        """List the registered names, with the process and the node of each, and who disagrees."""
    def registries(self, node: str | None = ..., *, matching: str | None = ...) -> ProcessRegistries:
        """List the names in all registries, also those that only one node knows."""
    @overload
    def restart(self, process: str, *, node: str | None = ..., dry_run: Literal[True]) -> Foreseen:
        """End a process or a supervisor, start it again under its supervisor, and say its new id."""
    @overload
    def restart(self, process: str, *, node: str | None = ...) -> ProcessChanged:
        """End a process or a supervisor, start it again under its supervisor, and say its new id."""
    def resume(self, process: str, *, node: str | None = ...) -> ProcessChanged:
        """Resume a suspended process."""
    def send(self, process: str, message: str, *, node: str | None = ...) -> ProcessChanged:
        """Send a message to a process."""
    def show(self, process: str, *, node: str | None = ...) -> ProcessShown:
        """Show one process: its state, mailbox, links, monitors, supervisors, stack and variables."""
    def start(
        self,
        function: str,
        *arguments: str,
        registered: str | None = ...,
        prefer: str | None = ...,
        node: str | None = ...,
        under: str | None = ...,
        restart: Literal["never", "on-error", "always"] = ...,
    ) -> ProcessStarted:
        """Start a process, and say where it landed. Its arguments follow `--`."""
    def suspend(self, process: str, *, node: str | None = ...) -> ProcessChanged:
        """Suspend a process: it takes no messages until it is resumed; they wait in its mailbox."""
    @overload
    def terminate(self, process: str, *, node: str | None = ..., dry_run: Literal[True]) -> Foreseen:
        """End a process or a supervisor for good: its supervisor does not start it again."""
    @overload
    def terminate(self, process: str, *, node: str | None = ...) -> ProcessChanged:
        """End a process or a supervisor for good: its supervisor does not start it again."""
    def tree(self, node: str | None = ...) -> ProcessTrees:
        """Show the supervision trees of all nodes, or of one, with restarts and their reasons."""

class RedisOperations:
    def clients(self, node: str | None = ...) -> RedisClients:
        """List the clients that are connected to Redis, at all nodes or at one."""
    def failover(self, node: str, *, group: str | None = ...) -> RedisFailover:
        """Have a replica take over from its master, while both run, and wait until it has."""
    def kill_client(self, node: str, client: int) -> RedisClientKilled:
        """Close the connection of one client of Redis."""
    def slowlog(self, node: str | None = ..., *, limit: int = ...) -> RedisSlowlog:
        """List the slow commands that Redis has noted, at all nodes or at one, the slowest first."""
    def topology(self, node: str | None = ...) -> RedisTopology:
        """Show who is master, replica or sentinel, as each node says of itself."""

class Operated:
    def operations_of_its_servers(self) -> list[Remedy]: ...
    def __getattr__(self, name: str) -> Any: ...
    etcd: EtcdOperations
    postgres: PostgresOperations
    processes: ProcessesOperations
    redis: RedisOperations
    def flame(
        self,
        node: str,
        *,
        seconds: float = ...,
        rate: int = ...,
        output: str | None = ...,
    ) -> FlameGraphWritten:
        """Sample what a Python node does for some seconds, and draw it as a flame graph (SVG)."""
    def health(self) -> Health:
        """Check every node of a running cluster: connectivity, application, cluster, performance."""
    @overload
    def kill(self, node: str, *, dry_run: Literal[True]) -> Foreseen:
        """Kill a node with SIGKILL, as a crash would."""
    @overload
    def kill(self, node: str) -> Disturbed:
        """Kill a node with SIGKILL, as a crash would."""
    def load(
        self,
        target: str | None = ...,
        *command: str,
        clients: int = ...,
        seconds: float = ...,
        rate: float | None = ...,
        only: tuple[str, ...] = ...,
        processes: int | None = ...,
        method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = ...,
        body: str | None = ...,
        port: str | None = ...,
        timeout: float = ...,
    ) -> LoadResult:
        """Put load on the nodes, and measure how they answer: latency, throughput and errors of each."""
    def pause(self, node: str) -> Disturbed:
        """Suspend a node (SIGSTOP): it stays alive but stops responding."""
    def resume(self, node: str) -> Disturbed:
        """Resume a paused node."""
    def stacks(self, node: str | None = ...) -> NodeActivities:
        """Show what the threads and tasks of Python nodes do now, also if an event loop is blocked."""
    def start(self, node: str) -> Disturbed:
        """Start a node that is down, and wait until it is back among the others."""
    @overload
    def stop(self, node: str, *, dry_run: Literal[True]) -> Foreseen:
        """Stop a node in order; it stays down until cluster.start, and the others go on."""
    @overload
    def stop(self, node: str) -> Disturbed:
        """Stop a node in order; it stays down until cluster.start, and the others go on."""
    @overload
    def sync(self, *, dry_run: Literal[True]) -> Foreseen:
        """Update all nodes to the project's current code: build it, load it, or restart the nodes."""
    @overload
    def sync(self) -> Synchronised:
        """Update all nodes to the project's current code: build it, load it, or restart the nodes."""
