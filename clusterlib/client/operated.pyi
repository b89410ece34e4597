"""Made by clusterlib.operations.generating of the operations of clusterlib: the methods that a Cluster has by them."""

from typing import Any

from clusterlib.operations.disturb import Disturbed
from clusterlib.operations.health import Health

class Operated:
    def __getattr__(self, name: str) -> Any: ...
    def health(self) -> Health:
        """Check every node of a running cluster: connectivity, application, cluster, performance."""
    def kill(self, node: str) -> Disturbed:
        """Kill a node with SIGKILL, as a crash would."""
    def pause(self, node: str) -> Disturbed:
        """Suspend a node (SIGSTOP): it stays alive but stops responding."""
    def resume(self, node: str) -> Disturbed:
        """Resume a paused node."""
    def start(self, node: str) -> Disturbed:
        """Start a node that is down, and wait until it is back among the others."""
    def stop(self, node: str) -> Disturbed:
        """Stop a node in order; it stays down until cluster.start, and the others go on."""
