"""Real clusters for tests, in milliseconds. Each public name is loaded when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterlib.lazy import exports

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
    "Cluster": "client.cluster",
    "ClusterState": "messages.states",
    "ClusterStatus": "messages.status",
    "DistributedAsyncTestCase": "doors.testcase",
    "DistributedTestCase": "doors.testcase",
    "Event": "messages.event",
    "Node": "client.cluster",
    "NodeState": "messages.states",
    "NodeStatus": "messages.status",
    "TurnGiven": "messages.status",
    "attach": "client.start",
    "load_profile": "profiles",
    "up": "client.start",
}


_exported, _ = exports(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    if name == "errors":  # a module
        from importlib import import_module

        return import_module("clusterlib.errors")
    return _exported(name)


def __dir__() -> list[str]:
    return sorted(__all__)
