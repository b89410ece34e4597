"""The plan: a profile adapted to this machine, ready to be executed. Plain values, sent to the
keeper as JSON.

It does not contain ports: they are claimed by the keeper, which must hold the claims as long as its
nodes live. Everything else is resolved here, so that the keeper need not read profiles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import field

from clusterlib.frozen import frozen
from clusterlib.messages.codec import Packed, plain, revive
from clusterlib.numbering import name_of
from clusterlib.values.choices import AddressMode, RestartWhen
from clusterlib.values.ports import PortRange

__all__ = [
    "Backoff",
    "Build",
    "CodeSources",
    "DerivedPort",
    "NoCode",
    "NodePlan",
    "Plan",
    "RestartPolicy",
    "RolePlan",
    "RunningCode",
    "StartOrder",
    "Timeouts",
    "digest",
]


@frozen
class Timeouts:
    start: float
    stop: float
    call: float
    health: float
    detect: float


@frozen
class Backoff:
    attempts: int
    first: float
    factor: float
    ceiling: float


@frozen
class RestartPolicy:
    policy: RestartWhen
    attempts: int
    window: float
    first: float
    factor: float
    ceiling: float


@frozen
class DerivedPort:
    """A port that depends on another one of its node."""

    base: str
    offset: int


@frozen
class NodePlan:
    name: str
    index: int

    @staticmethod
    def of(pattern: str, index: int) -> NodePlan:
        return NodePlan(name_of(pattern, index), index)


@frozen
class Build:
    """The command that makes the project's compiled code."""

    command: tuple[str, ...]
    inputs: tuple[str, ...]
    """Files and folders that it reads. If empty, it is run each time the code is needed."""
    rebuild: tuple[str, ...]
    """A command that makes everything again, for changes that `command` would miss; empty if there
    is none."""
    environment: Mapping[str, str]
    seconds: float
    into: str
    """The setting that names the folders of what it makes: `beam.path`."""
    asked_by: tuple[str, ...]
    """Further settings that decide what it makes."""


@frozen
class NoCode:
    """Files of a project that are not code of its nodes, beyond the usual names of tests."""

    names: tuple[str, ...] = ()
    """Patterns of names, and of the ends of paths."""
    paths: tuple[str, ...] = ()
    """Files, and folders with everything in them."""


@frozen
class CodeSources:
    """The files that are the code of the nodes.

    They are compared to find out whether the nodes run the current project."""

    roots: tuple[str, ...] = ()
    """Folders of Python code, on sys.path of the nodes.

    Embedded nodes report themselves what they have loaded."""
    trees: tuple[str, ...] = ()
    """Folders whose Python code is compared as a whole, because a server program cannot report what
    it has loaded."""
    left_out: NoCode = field(default_factory=NoCode)
    """Parts of `trees` that are not compared."""
    watched: tuple[str, ...] = ()
    """Patterns of files. The profile has nodes restarted when they change."""
    modules: tuple[str, ...] = ()
    """Folders of compiled modules, as patterns, in the order of the search."""
    suffix: str = ""
    """The end of the names of compiled modules: `.beam`."""
    files: tuple[str, ...] = ()
    """Programs, and other files that nodes read when they start."""
    build: Build | None = None
    """None: what is on disk is the code."""
    reported: bool = True
    """Whether the nodes report the rest of what they have loaded.

    For other nodes only the files named here are compared."""


@frozen
class RunningCode:
    """The code that the nodes of a cluster run, as reported by its keeper and its nodes."""

    files: Mapping[str, tuple[Mapping[str, str], ...]]
    """By role, what was looked at when its nodes started: digests by file, once for all that
    started with the same files."""
    stale: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By node, the files that it has loaded since, and that have changed on disk."""
    unasked: tuple[str, ...] = ()
    """Nodes that live, but do not report what they have loaded: paused ones, or busy ones."""


@frozen
class RolePlan:
    """One kind of members of a cluster. The nodes of a role see each other, and have one driver."""

    name: str
    driver: str
    settings: Packed
    """The settings of that driver, of the type that it says."""
    nodes: tuple[NodePlan, ...]
    node_name: str
    node_host: str
    """The patterns that name further nodes, when the role grows."""
    ports: Mapping[str, PortRange]
    derived: Mapping[str, DerivedPort]
    templates: Mapping[str, str]
    """File in the node's folder -> template file."""
    template_search: tuple[str, ...]
    environment: Mapping[str, str]
    memory: int
    """Of one node, in bytes."""
    memory_origin: str
    """Where it is set; empty if it is only the default."""
    app: str | None
    sources: CodeSources
    code: Mapping[str, str]
    """What nodes read when they start, file by file, as it was when the cluster was to start.

    It was made of `sources`."""
    fixed: str
    """Why nodes cannot be added or removed; empty if they can."""
    driver_code: str
    """The digest of the driver's own code, if it is from outside: a keeper loads it once."""
    server: str
    """Which server its nodes are, for operations that serve only some; empty if they are none."""


@frozen
class Plan:
    """What holds for the whole cluster, and its roles."""

    identifier: str
    """Short and unique per (user, project, name): part of the names of locks, sockets and
    claims."""
    name: str
    project: str
    profile: str
    simulated: bool
    """All nodes of all roles, or none: they share the host, which is one process or the machine."""
    fingerprint: str
    """Of everything in the profile that shapes the cluster: equal fingerprints, equal clusters."""
    mode: AddressMode
    timeouts: Timeouts
    retry: Backoff
    restart: RestartPolicy
    linger: float
    monitor: float
    """Seconds between two samples of what the nodes use; 0: none are taken."""
    leased: bool
    """True: lives as long as it has a lease. False: lives until `down`."""
    adaptations: tuple[str, ...]
    roles: tuple[RolePlan, ...]

    @property
    def size(self) -> int:
        """How many nodes it starts with."""
        return sum(len(role.nodes) for role in self.roles)

    def to_json(self) -> str:
        return json.dumps(plain(self))

    @staticmethod
    def from_json(text: str) -> Plan:
        return revive(Plan, json.loads(text))


@frozen
class StartOrder:
    """The input of a new keeper: its plan, the folder of this run, and the first holder of the
    cluster."""

    plan: Plan
    run: str
    holder: str


def digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
