"""Real clusters for tests, in milliseconds. Each public name is loaded when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clusterlib import errors as errors
    from clusterlib.client.cluster import Cluster as Cluster
    from clusterlib.client.cluster import Node as Node
    from clusterlib.client.start import attach as attach
    from clusterlib.client.start import up as up
    from clusterlib.doors.testcase import DistributedAsyncTestCase as DistributedAsyncTestCase
    from clusterlib.doors.testcase import DistributedTestCase as DistributedTestCase
    from clusterlib.messages.event import Event as Event
    from clusterlib.messages.states import ClusterState as ClusterState
    from clusterlib.messages.states import NodeState as NodeState
    from clusterlib.messages.status import ClusterStatus as ClusterStatus
    from clusterlib.messages.status import NodeStatus as NodeStatus
    from clusterlib.messages.status import TurnGiven as TurnGiven
    from clusterlib.profiles import load_profile as load_profile

__version__ = "0.1.0"
__all__ = [
    "Cluster",
    "ClusterState",
    "ClusterStatus",
    "DistributedAsyncTestCase",
    "DistributedTestCase",
    "Event",
    "Node",
    "NodeState",
    "NodeStatus",
    "TurnGiven",
    "__version__",
    "attach",
    "errors",
    "load_profile",
    "up",
]

_HOMES = {
    "Cluster": "clusterlib.client.cluster",
    "ClusterState": "clusterlib.messages.states",
    "ClusterStatus": "clusterlib.messages.status",
    "DistributedAsyncTestCase": "clusterlib.doors.testcase",
    "DistributedTestCase": "clusterlib.doors.testcase",
    "Event": "clusterlib.messages.event",
    "Node": "clusterlib.client.cluster",
    "NodeState": "clusterlib.messages.states",
    "NodeStatus": "clusterlib.messages.status",
    "TurnGiven": "clusterlib.messages.status",
    "attach": "clusterlib.client.start",
    "load_profile": "clusterlib.profiles",
    "up": "clusterlib.client.start",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "errors":
        return import_module("clusterlib.errors")
    if name not in _HOMES:
        raise AttributeError(f"module 'clusterlib' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
