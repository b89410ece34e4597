"""What holds for the operations of every server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import clusterlib
from clusterlib.errors import CallTimeout, NodeUnavailable
from clusterlib.operations.catalogue import load, shipped
from clusterlib.operations.listing import ListedOperation

__all__ = ["check_missing_nodes", "looking", "stopped"]


def looking(server: str) -> list[ListedOperation]:
    """The operations of this server that only look, and need no arguments."""
    found = [one for one in shipped() if server in one.serves and one.effect == "read"]
    return [one for one in found if not any(each.required for each in one.parameters)]


@contextmanager
def stopped(node: clusterlib.Node) -> Iterator[None]:
    """Its process hangs, and its keeper does not know."""
    pid = node.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def check_missing_nodes(cluster: clusterlib.Cluster, server: str, dead: str, hanging: str) -> None:
    """One node is dead and one hangs: each operation names both, and all others answer."""
    assert looking(server)
    cluster[dead].kill()
    with stopped(cluster[hanging]):
        for one in looking(server):
            result = load(one).on(cluster)
            missing = {each.node: each for each in result.unasked}
            assert missing.keys() == {dead, hanging}, one.full_name
            assert missing[dead].state == "dead"
            assert "was killed" in missing[dead].why
            assert missing[hanging].state == "ready"
            assert "SIGSTOP" in missing[hanging].why
        first = load(looking(server)[0])
        for node, error in ((dead, NodeUnavailable), (hanging, CallTimeout)):
            with pytest.raises(error, match=node):
                first.on(cluster, node)
