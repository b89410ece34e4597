"""Everything that can be done with clusters, profiles and test runs. Each operation is declared
once, with `@operation`.

For the operations of a project: `from clusterlib.operations import operation, NodeName, Between,
Help`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlib.lazy import exports

if TYPE_CHECKING:
    from clusterlib.operations.declaring import Caller as Caller
    from clusterlib.operations.declaring import operation as operation
    from clusterlib.operations.parameters import ClusterName as ClusterName
    from clusterlib.operations.parameters import Count as Count
    from clusterlib.operations.parameters import Help as Help
    from clusterlib.operations.parameters import Memory as Memory
    from clusterlib.operations.parameters import NodeName as NodeName
    from clusterlib.operations.parameters import Ports as Ports
    from clusterlib.operations.parameters import ProfileName as ProfileName
    from clusterlib.operations.parameters import Seconds as Seconds
    from clusterlib.operations.parameters import Secret as Secret
    from clusterlib.operations.parameters import Short as Short
    from clusterlib.operations.result import Result as Result
    from clusterlib.remedies import do as do
    from clusterlib.values.fields import Between as Between

__all__ = [
    "Between",
    "Caller",
    "ClusterName",
    "Count",
    "Help",
    "Memory",
    "NodeName",
    "Ports",
    "ProfileName",
    "Result",
    "Seconds",
    "Secret",
    "Short",
    "do",
    "operation",
]

_HOMES = {
    **dict.fromkeys(__all__, "operations.parameters"),
    "Between": "values.fields",
    "Caller": "operations.declaring",
    "Result": "operations.result",
    "do": "remedies",
    "operation": "operations.declaring",
}

__getattr__, __dir__ = exports(__name__, _HOMES)
