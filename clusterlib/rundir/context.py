"""What a person works with in a project: the chosen cluster, and a node of each cluster.

Tools for people remember it in `.clusterlib/context.json`. It is comfort: whatever is damaged or
missing in the file counts as not chosen."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field, replace
from pathlib import Path

from clusterlib.frozen import frozen
from clusterlib.hosts.places import lock_for_us, open_lock, read_private, write_private
from clusterlib.messages.codec import plain, salvage
from clusterlib.rundir.folders import home_of

__all__ = ["PersonContext", "change_context", "read_context"]

NAME = "context.json"
MOST = 1 << 16
"""Bytes of the file."""


@frozen
class PersonContext:
    cluster: str = ""
    nodes: Mapping[str, str] = field(default_factory=dict)
    """The chosen node of each cluster, by the name of the cluster."""

    def of_cluster(self, cluster: str) -> PersonContext:
        return replace(self, cluster=cluster)

    def of_node(self, cluster: str, node: str) -> PersonContext:
        """Without a node, none is chosen."""
        others = {name: one for name, one in self.nodes.items() if name != cluster}
        return replace(self, nodes={**others, **({cluster: node} if node else {})})


def read_context(project: Path) -> PersonContext:
    try:
        data = json.loads(read_private(project / ".clusterlib" / NAME, MOST))
        return salvage(PersonContext, data)
    except (OSError, ValueError, RecursionError):
        return PersonContext()


def change_context(project: Path, change: Callable[[PersonContext], PersonContext]) -> PersonContext:
    """Changes what is in the file now, which another tool may have changed.

    Raises OSError or ClusterError if it cannot be written."""
    home = home_of(project)
    with _locked(home / f"{NAME}.lock"):
        changed = change(read_context(project))
        write_private(home / NAME, json.dumps(plain(changed), indent=1) + "\n")
    return changed


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = open_lock(path)
    try:
        lock_for_us(descriptor, path)
        yield
    finally:
        os.close(descriptor)
