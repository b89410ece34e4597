"""The plan: a profile adapted to this machine, ready to be carried out. Plain values; it crosses to the keeper as JSON.

Ports are not in it: they are claimed by the keeper, which must hold the claims for as long as its nodes live. All else is
resolved here, so that the keeper need not know how profiles are read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import field

from clusterlib.frozen import frozen
from clusterlib.messages.codec import Packed, plain, revive
from clusterlib.numbering import name_of
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
    policy: str
    attempts: int
    window: float
    first: float
    factor: float
    ceiling: float


@frozen
class DerivedPort:
    """A port that follows from another of its node."""

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
    """What makes the project's compiled code."""

    command: tuple[str, ...]
    inputs: tuple[str, ...]
    """Files and folders that it reads. None named: it is run whenever somebody asks for the code."""
    rebuild: tuple[str, ...]
    """What makes all of it anew, for changes that `command` would not see; empty: there is no such thing."""
    environment: Mapping[str, str]
    seconds: float


@frozen
class NoCode:
    """What of a project is no code of its nodes, beyond the usual names of tests."""

    names: tuple[str, ...] = ()
    """Patterns of names, and of the ends of paths."""
    paths: tuple[str, ...] = ()
    """Files, and folders with all that is in them."""


@frozen
class CodeSources:
    """Where the code of the nodes is: what is looked at to tell whether they still run the project as it is."""

    roots: tuple[str, ...] = ()
    """Folders of Python code, on sys.path of the nodes. Embedded nodes tell by themselves what they have loaded."""
    trees: tuple[str, ...] = ()
    """Folders whose Python code is looked at as a whole, as nobody can tell what a server program has loaded of it."""
    left_out: NoCode = field(default_factory=NoCode)
    """What of `trees` is not looked at."""
    watched: tuple[str, ...] = ()
    """Patterns of files that the profile has nodes restarted for."""
    modules: tuple[str, ...] = ()
    """Folders of compiled Erlang modules, as patterns: those that come first are searched first."""
    files: tuple[str, ...] = ()
    """Programs, and whatever else nodes read when they start."""
    build: Build | None = None
    """None: what is on disk is the code."""
    told: bool = True
    """Whether the nodes tell the rest of what they have loaded. Of others only what is named here is looked at."""


@frozen
class RunningCode:
    """The code that the nodes of a cluster run, as its keeper knows it and its nodes tell it."""

    files: Mapping[str, tuple[Mapping[str, str], ...]]
    """By role, what was looked at when its nodes started: digests by file, once for all that started with the same files."""
    stale: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By node, the files that it has loaded since, and that are others on disk now."""
    unasked: tuple[str, ...] = ()
    """Nodes that live, but do not say what they have loaded: paused ones, or busy ones."""


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
    """Where that is written; empty where it is only the default."""
    app: str | None
    sources: CodeSources
    code: Mapping[str, str]
    """What nodes read when they start, file by file, as it was when the cluster was to start. It was made of `sources`."""


@frozen
class Plan:
    """What holds for the whole cluster, and its roles."""

    identifier: str
    """Short and unique per (user, project, name): what locks, sockets and claims are named by."""
    name: str
    project: str
    profile: str
    simulated: bool
    """All nodes of all roles, or none: they share the host, which is one process or the machine."""
    fingerprint: str
    """Of everything in the profile that shapes the cluster: equal fingerprints, equal clusters."""
    mode: str
    timeouts: Timeouts
    retry: Backoff
    restart: RestartPolicy
    linger: float
    monitor: float
    """Seconds between two looks at what the nodes cost; 0: nobody looks."""
    held: bool
    """True: lives as long as somebody holds a lease. False: lives until it is told to stop."""
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
    """What a new keeper is given: its plan, the folder of this run, and who holds the cluster from the first moment."""

    plan: Plan
    run: str
    holder: str


def digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
