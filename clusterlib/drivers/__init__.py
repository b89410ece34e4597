"""Kinds of nodes: how a node is started, reached, checked and stopped.

These are the names for authors of drivers, see docs/extending.md. Each is loaded when it is first
used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clusterlib.drivers.api import Driver as Driver
    from clusterlib.drivers.api import Link as Link
    from clusterlib.drivers.api import NodeSpec as NodeSpec
    from clusterlib.drivers.calls import Evaluation as Evaluation
    from clusterlib.drivers.calls import NodeCalls as NodeCalls
    from clusterlib.drivers.calls import Place as Place
    from clusterlib.drivers.kind import NodeKind as NodeKind
    from clusterlib.drivers.kind import Traits as Traits
    from clusterlib.drivers.planning import CodeContext as CodeContext
    from clusterlib.drivers.planning import Planned as Planned
    from clusterlib.frozen import frozen as frozen
    from clusterlib.health.probes import Answer as Answer
    from clusterlib.health.probes import Never as Never
    from clusterlib.health.probes import NotYet as NotYet
    from clusterlib.health.probes import Ready as Ready
    from clusterlib.health.probes import Rung as Rung
    from clusterlib.hosts.api import Entry as Entry
    from clusterlib.hosts.api import Host as Host
    from clusterlib.hosts.api import Process as Process
    from clusterlib.hosts.api import Program as Program
    from clusterlib.hosts.api import Spawn as Spawn
    from clusterlib.messages.plan import CodeSources as CodeSources
    from clusterlib.network.ports import Claim as Claim
    from clusterlib.values.fields import choice as choice
    from clusterlib.values.fields import flag as flag
    from clusterlib.values.fields import number as number
    from clusterlib.values.fields import optional as optional
    from clusterlib.values.fields import setting as setting
    from clusterlib.values.fields import text as text
    from clusterlib.values.fields import texts as texts
    from clusterlib.values.fields import whole as whole

_HOMES = {
    "Answer": "health.probes",
    "Claim": "network.ports",
    "CodeContext": "drivers.planning",
    "CodeSources": "messages.plan",
    "Driver": "drivers.api",
    "Entry": "hosts.api",
    "Evaluation": "drivers.calls",
    "Host": "hosts.api",
    "Link": "drivers.api",
    "Never": "health.probes",
    "NodeCalls": "drivers.calls",
    "NodeKind": "drivers.kind",
    "NodeSpec": "drivers.api",
    "NotYet": "health.probes",
    "Place": "drivers.calls",
    "Planned": "drivers.planning",
    "Process": "hosts.api",
    "Program": "hosts.api",
    "Ready": "health.probes",
    "Rung": "health.probes",
    "Spawn": "hosts.api",
    "Traits": "drivers.kind",
    "choice": "values.fields",
    "flag": "values.fields",
    "frozen": "frozen",
    "number": "values.fields",
    "optional": "values.fields",
    "setting": "values.fields",
    "text": "values.fields",
    "texts": "values.fields",
    "whole": "values.fields",
}

__all__ = [
    "Answer",
    "Claim",
    "CodeContext",
    "CodeSources",
    "Driver",
    "Entry",
    "Evaluation",
    "Host",
    "Link",
    "Never",
    "NodeCalls",
    "NodeKind",
    "NodeSpec",
    "NotYet",
    "Place",
    "Planned",
    "Process",
    "Program",
    "Ready",
    "Rung",
    "Spawn",
    "Traits",
    "choice",
    "flag",
    "frozen",
    "number",
    "optional",
    "setting",
    "text",
    "texts",
    "whole",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'clusterlib.drivers' has no attribute {name!r}")
    value = getattr(import_module(f"clusterlib.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_HOMES)
