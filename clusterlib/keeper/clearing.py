"""Deletes the data of nodes between two starts, and nothing else."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from pathlib import Path

from clusterlib.drivers.api import Driver
from clusterlib.errors import NotSupported, StartError
from clusterlib.hosts.clearing import empty_folder
from clusterlib.keeper.event_log import Tell
from clusterlib.keeper.node import ManagedNode
from clusterlib.messages.events import NodeCleared
from clusterlib.remedies import do

__all__ = ["check_fresh", "clear"]


def check_fresh(driver: Driver, names: Collection[str]) -> None:
    """Raises NotSupported if these nodes cannot start without data while the others keep theirs."""
    why = driver.why_not_fresh(names)
    if why is not None:
        raise NotSupported(
            f"{', '.join(names)} cannot begin with no data while the others keep theirs",
            cause=why,
            remedies=[do("cluster.restart", fresh=True) + "  # all nodes"],
        )


def clear(driver: Driver, node: ManagedNode, tell: Tell) -> None:
    """Deletes everything in the folder of a node that does not live now, so its next start is like
    its first one.

    The ends of log files in it are kept in the node's own log."""
    for line in driver.last_words(node.spec):
        node.log.feed(f"{line}\n".encode())
    driver.forget(node.spec)
    try:
        empty_folder(Path(node.spec.directory))
    except OSError as error:
        raise StartError(
            f"the data of {node.name} cannot be deleted",
            cause=f"{error.strerror}: {error.filename or node.spec.directory}",
            remedies=[f"ls -la {shlex.quote(node.spec.directory)}", do("cluster.down")],
        ) from error
    tell(NodeCleared(node.name))
