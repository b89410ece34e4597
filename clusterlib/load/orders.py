"""What a command and its processes of clients send each other: a JSON document in each line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from clusterlib.frozen import frozen
from clusterlib.load.histogram import Counts
from clusterlib.messages.plan import CodeSources
from clusterlib.messages.status import NodeStatus

__all__ = [
    "GO",
    "STOP",
    "ClientsOrder",
    "ClientsReport",
    "LoadRequest",
    "LoadedPlace",
    "NodeCounts",
    "TargetKind",
]

GO = b"go\n"
STOP = b"stop\n"


class TargetKind(StrEnum):
    FUNCTION = "function"
    HTTP = "http"
    COMMAND = "command"


@frozen
class LoadRequest:
    """What each client does again and again."""

    kind: TargetKind
    target: str
    """A function as `package.module:function`, the path of a URL, or a command as one text."""
    port: str = ""
    """The name of the port, for HTTP."""
    method: str = "GET"
    body: str | None = None
    timeout: float = 10.0
    words: tuple[str, ...] = ()
    """Of a command."""


@frozen
class LoadedPlace:
    """A node, and the clients of one process that it has."""

    name: str
    driver: str
    sources: CodeSources
    status: NodeStatus
    clients: int
    interval: float | None = None
    """Nanoseconds between two starts, if the load is given by a rate."""
    phase: float = 0.0
    """Nanoseconds until the first start."""


@frozen
class ClientsOrder:
    """What a process of clients is to do."""

    cluster: str
    cookie_file: str
    folders: tuple[str, ...]
    """Where the function is looked for."""
    request: LoadRequest
    seconds: float
    nodes: tuple[LoadedPlace, ...]
    clients: int
    """Of all processes together."""


@frozen
class NodeCounts:
    """What was measured at one node since the last report."""

    latency: Counts = field(default_factory=Counts)
    errors: Mapping[str, int] = field(default_factory=dict)


@frozen
class ClientsReport:
    """A process sends one each second; the first says that it is ready, or why not."""

    number: int
    problem: str = ""
    """Why it cannot work; empty if it can."""
    cause: str | None = None
    remedies: tuple[str, ...] = ()
    nodes: Mapping[str, NodeCounts] = field(default_factory=dict)
    late: Counts = field(default_factory=Counts)
    """How much later than intended idle clients began."""
    cpu: float = 0.0
    """Seconds of processor time since the start."""
    commands_cpu: float = 0.0
    """The same of the commands that it has run."""
    seconds: float = 0.0
    """Since the start."""
    unsent: int = 0
    """Requests whose time came while all clients were waiting, and that were never sent."""
    last: bool = False
