"""Kinds of nodes: how a node is started, reached, checked and stopped.

These are the names for authors of drivers, see docs/extending.md. Each is loaded when it is first
used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlib.lazy import exports

if TYPE_CHECKING:
    from clusterlib.drivers.api import SESSION as SESSION
    from clusterlib.drivers.api import Driver as Driver
    from clusterlib.drivers.api import Link as Link
    from clusterlib.drivers.api import Member as Member
    from clusterlib.drivers.api import NodeSpec as NodeSpec
    from clusterlib.drivers.api import NodeTexts as NodeTexts
    from clusterlib.drivers.calls import Evaluation as Evaluation
    from clusterlib.drivers.calls import NodeCalls as NodeCalls
    from clusterlib.drivers.kind import NodeKind as NodeKind
    from clusterlib.drivers.kind import Traits as Traits
    from clusterlib.drivers.place import Place as Place
    from clusterlib.drivers.planning import CodeContext as CodeContext
    from clusterlib.drivers.planning import Planned as Planned
    from clusterlib.errors import CallTimeout as CallTimeout
    from clusterlib.errors import ClusterError as ClusterError
    from clusterlib.errors import NodeUnavailable as NodeUnavailable
    from clusterlib.errors import NotSupported as NotSupported
    from clusterlib.frozen import frozen as frozen
    from clusterlib.health.probes import Answer as Answer
    from clusterlib.health.probes import Never as Never
    from clusterlib.health.probes import NotYet as NotYet
    from clusterlib.health.probes import Ready as Ready
    from clusterlib.health.probes import Rung as Rung
    from clusterlib.hosts.api import Entry as Entry
    from clusterlib.hosts.api import Exit as Exit
    from clusterlib.hosts.api import Host as Host
    from clusterlib.hosts.api import Process as Process
    from clusterlib.hosts.api import Program as Program
    from clusterlib.hosts.api import Spawn as Spawn
    from clusterlib.hosts.run_program import ProgramRun as ProgramRun
    from clusterlib.hosts.run_program import run_program as run_program
    from clusterlib.messages.findings import Finding as Finding
    from clusterlib.messages.findings import failed as failed
    from clusterlib.messages.findings import ok as ok
    from clusterlib.messages.findings import skipped as skipped
    from clusterlib.messages.findings import warning as warning
    from clusterlib.messages.plan import CodeSources as CodeSources
    from clusterlib.messages.status import OwnShell as OwnShell
    from clusterlib.network.ports import Claim as Claim
    from clusterlib.profiles.checks import Together as Together
    from clusterlib.profiles.model import Profile as Profile
    from clusterlib.profiles.origins import Mistake as Mistake
    from clusterlib.profiles.resolved import ResolvedProfile as ResolvedProfile
    from clusterlib.remedies import do as do
    from clusterlib.values.fields import choice as choice
    from clusterlib.values.fields import flag as flag
    from clusterlib.values.fields import number as number
    from clusterlib.values.fields import optional as optional
    from clusterlib.values.fields import parsed as parsed
    from clusterlib.values.fields import setting as setting
    from clusterlib.values.fields import table as table
    from clusterlib.values.fields import text as text
    from clusterlib.values.fields import texts as texts
    from clusterlib.values.fields import texts_of as texts_of
    from clusterlib.values.fields import whole as whole
    from clusterlib.values.fields import words as words
    from clusterlib.values.kinds import Wrong as Wrong

_HOMES = {
    "Answer": "health.probes",
    "CallTimeout": "errors",
    "Claim": "network.ports",
    "ClusterError": "errors",
    "CodeContext": "drivers.planning",
    "CodeSources": "messages.plan",
    "Driver": "drivers.api",
    "Entry": "hosts.api",
    "Evaluation": "drivers.calls",
    "Exit": "hosts.api",
    "Finding": "messages.findings",
    "Host": "hosts.api",
    "Link": "drivers.api",
    "Member": "drivers.api",
    "Mistake": "profiles.origins",
    "Never": "health.probes",
    "NodeCalls": "drivers.calls",
    "NodeKind": "drivers.kind",
    "NodeSpec": "drivers.api",
    "NodeTexts": "drivers.api",
    "NodeUnavailable": "errors",
    "NotSupported": "errors",
    "NotYet": "health.probes",
    "OwnShell": "messages.status",
    "Place": "drivers.place",
    "Planned": "drivers.planning",
    "Process": "hosts.api",
    "Profile": "profiles.model",
    "Program": "hosts.api",
    "ProgramRun": "hosts.run_program",
    "Ready": "health.probes",
    "ResolvedProfile": "profiles.resolved",
    "Rung": "health.probes",
    "SESSION": "drivers.api",
    "Spawn": "hosts.api",
    "Together": "profiles.checks",
    "Traits": "drivers.kind",
    "Wrong": "values.kinds",
    "choice": "values.fields",
    "do": "remedies",
    "failed": "messages.findings",
    "flag": "values.fields",
    "frozen": "frozen",
    "number": "values.fields",
    "ok": "messages.findings",
    "optional": "values.fields",
    "parsed": "values.fields",
    "run_program": "hosts.run_program",
    "setting": "values.fields",
    "skipped": "messages.findings",
    "table": "values.fields",
    "text": "values.fields",
    "texts": "values.fields",
    "texts_of": "values.fields",
    "warning": "messages.findings",
    "whole": "values.fields",
    "words": "values.fields",
}

__all__ = [
    "SESSION",
    "Answer",
    "CallTimeout",
    "Claim",
    "ClusterError",
    "CodeContext",
    "CodeSources",
    "Driver",
    "Entry",
    "Evaluation",
    "Exit",
    "Finding",
    "Host",
    "Link",
    "Member",
    "Mistake",
    "Never",
    "NodeCalls",
    "NodeKind",
    "NodeSpec",
    "NodeTexts",
    "NodeUnavailable",
    "NotSupported",
    "NotYet",
    "OwnShell",
    "Place",
    "Planned",
    "Process",
    "Profile",
    "Program",
    "ProgramRun",
    "Ready",
    "ResolvedProfile",
    "Rung",
    "Spawn",
    "Together",
    "Traits",
    "Wrong",
    "choice",
    "do",
    "failed",
    "flag",
    "frozen",
    "number",
    "ok",
    "optional",
    "parsed",
    "run_program",
    "setting",
    "skipped",
    "table",
    "text",
    "texts",
    "texts_of",
    "warning",
    "whole",
    "words",
]

__getattr__, __dir__ = exports(__name__, _HOMES)
