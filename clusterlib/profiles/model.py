"""All settings of a profile, each declared once, with its kind, its default and its description.
Drivers declare tables of their own in the same way, in their folders.

The reference in docs/profiles.md, the JSON schema for editors, the environment variables and the
validation all derive from these declarations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, field, fields
from typing import Any, Final, TypeVar

from clusterlib.drivers.shipped import SHIPPED
from clusterlib.frozen import frozen
from clusterlib.values.choices import (
    AddressMode,
    Fallback,
    KeepArtifacts,
    RestartWhen,
    Strictness,
    WorkerClusters,
)
from clusterlib.values.fields import (
    choice_of,
    flag,
    number,
    optional,
    parsed,
    section,
    setting,
    table,
    text,
    texts,
    texts_of,
    whole,
    words_of,
)
from clusterlib.values.kinds import (
    check_derived,
    check_environment_name,
    check_function,
    check_host,
    check_name,
    check_output,
    check_packages,
    check_purpose,
    check_template,
    check_watch,
    parse_memory,
    parse_ports,
)
from clusterlib.values.ports import PortRange

__all__ = [
    "A_DAY",
    "MOST_NODES",
    "ONLY_ROLE",
    "SHARED",
    "Adapt",
    "MonitorSettings",
    "Network",
    "Nodes",
    "Profile",
    "Python",
    "RestartSettings",
    "Retry",
    "Tests",
    "TimeoutSettings",
]

MOST_NODES = 1000
ONLY_ROLE = "node"
"""A cluster of a profile has one role, which the profile does not name."""
S = TypeVar("S")
A_DAY = 86400.0  # a longer wait is probably a mistake in the unit

_SECONDS = number(above=0, most=A_DAY)
_FACTOR = number(least=1, most=100)
_ATTEMPTS = whole(0, 10_000)


@frozen
class Nodes:
    """How many nodes there are, and what they are called."""

    count: int = setting(3, whole(1, MOST_NODES), "How many nodes a cluster starts with.")
    min: int = setting(1, whole(1, MOST_NODES), "Adaptation to a small machine never goes below this.")
    name: str = setting(
        "node{index}", text(check_name), "Name of each node; {index} counts from 1, {index0} from 0."
    )
    host: str = setting(
        "localhost",
        text(check_host),
        "Host name of each node; may hold {index}, {index0}, {name} and {address}.",
    )
    memory: int = setting(
        32 * 2**20,
        parsed(parse_memory, type=["string", "integer"], examples=["32MiB"]),
        "The expected memory of one node: a number with a unit, or bytes. If it is not set, "
        "warnings use what nodes took in earlier runs, and adaptation uses the default.",
    )


@frozen
class Network:
    """How nodes share the addresses of this machine."""

    mode: AddressMode = setting(
        AddressMode.SHARED,
        choice_of(AddressMode, {"netns": "is reserved for a later version and not there yet"}),
        "shared: all nodes on 127.0.0.1, with different ports; per-node: each node on its own "
        "127.x.y.z, all with the same ports.",
    )


@frozen
class TimeoutSettings:
    """How long to wait, in seconds."""

    start: float = setting(30.0, _SECONDS, "From the start of the nodes until every node sees every other.")
    stop: float = setting(
        5.0,
        _SECONDS,
        "For a node to end after it was asked to; then it is killed. SIGTERM is sent before, in "
        "the last third.",
    )
    call: float = setting(30.0, _SECONDS, "For a remote call without its own limit.")
    health: float = setting(5.0, _SECONDS, "For the whole health matrix.")
    build: float = setting(600.0, _SECONDS, "For the command that compiles the project.", special=True)
    detect: float = setting(
        0.8,
        _SECONDS,
        "Silence after which a node counts as lost. Not longer in CI, because it is a behaviour "
        "of the cluster.",
    )


@frozen
class Retry:
    """How a start is tried again that failed for a temporary reason (a taken port)."""

    attempts: int = setting(3, _ATTEMPTS, "How many more times a start is tried.")
    first: float = setting(0.05, _SECONDS, "The first pause, in seconds.")
    factor: float = setting(2.0, _FACTOR, "Each pause is this many times the one before.")
    ceiling: float = setting(2.0, _SECONDS, "No pause is longer than this, in seconds.")


@frozen
class RestartSettings:
    """What happens when a node ends unexpectedly."""

    policy: RestartWhen = setting(
        RestartWhen.NEVER, choice_of(RestartWhen), "When an ended node is started again."
    )
    attempts: int = setting(3, _ATTEMPTS, "Restarts of one node within the window before it is given up.")
    window: float = setting(60.0, _SECONDS, "The window in which restarts are counted, in seconds.")
    first: float = setting(0.1, _SECONDS, "The first pause before a restart, in seconds.")
    factor: float = setting(2.0, _FACTOR, "Each pause is this many times the one before.")
    ceiling: float = setting(5.0, _SECONDS, "No pause is longer than this, in seconds.")


@frozen
class Tests:
    """Which tests this profile serves."""

    paths: tuple[str, ...] = setting(
        (), texts(), "Paths for pytest, relative to the project. Empty: pytest finds its tests by itself."
    )
    args: tuple[str, ...] = setting((), texts(), "More arguments for pytest.")
    command: tuple[str, ...] = setting(
        (), texts(), "Your own command in place of pytest: a list, not a shell line."
    )
    auto: bool = setting(True, flag(), "Start clusters for tests. false: only a running cluster is used.")
    workers: WorkerClusters = setting(
        WorkerClusters.EACH,
        choice_of(WorkerClusters),
        "With pytest-xdist. each: a cluster for each worker; shared: one for all of them.",
    )
    fallbacks: tuple[Fallback, ...] = setting(
        (Fallback.RETRY, Fallback.SMALLER, Fallback.SKIP),
        words_of(Fallback),
        "What is tried, in this order, if a cluster for tests does not start: again after a "
        "pause; with no more nodes than its tests need; simulated; finally, skipping its tests.",
    )
    strict: Strictness = setting(
        Strictness.CI,
        choice_of(Strictness),
        "When tests whose cluster did not start fail instead of being skipped.",
    )
    artifacts: KeepArtifacts = setting(
        KeepArtifacts.FAILURE,
        choice_of(KeepArtifacts),
        "When a test run leaves a folder with report, logs and configurations.",
    )
    log_lines: int = setting(
        50,
        whole(0, 10_000),
        "The last lines of each node during a failed test that are shown with it. Of all nodes "
        "together this number, or 60.",
    )
    turn: float = setting(
        600.0,
        _SECONDS,
        "How long a test waits, in seconds, for its turn on a cluster that another test uses.",
    )


@frozen
class Python:
    """What an embedded node (driver python) runs, and where Python code is."""

    app: str | None = setting(
        None,
        optional(text(check_function)),
        'Called in each node when it starts: "package.module:function".',
        special=True,
    )
    path: tuple[str, ...] = setting(
        (".",),
        texts(),
        "Code roots, relative to the project: on sys.path of embedded nodes. If a profile of "
        "driver command sets it, on PYTHONPATH of its servers, which are restarted when Python "
        "code below has changed. Empty: the servers run no Python of the project.",
    )


@frozen
class MonitorSettings:
    """What is measured while a cluster runs."""

    interval: float = setting(
        1.0,
        number(least=0, most=A_DAY),
        "Seconds between two samples of memory and CPU of the nodes; 0: no samples. Longer if "
        "sampling is expensive.",
    )


@frozen
class Adapt:
    """Adaptation of the profile to a small machine or to CI."""

    enabled: bool = setting(True, flag(), "Whether values are adapted at all.")
    nodes_per_cpu: float = setting(
        50.0,
        number(above=0, most=MOST_NODES),
        "Nodes one CPU carries. Embedded nodes are light; write 1 or 2 for a heavy server.",
    )
    memory_share: float = setting(
        0.5, number(above=0, most=1), "Share of the free memory that all nodes together may take."
    )
    ci_timeout_factor: float = setting(
        2.0, _FACTOR, "In CI, the timeouts start, stop, call and health are this many times as long."
    )


@frozen
class Profile:
    """The description of a cluster."""

    description: str = setting("", text(), "One line for profile.list.")
    driver: str = setting(
        "python",
        text(examples=[*SHIPPED]),
        "What kind of node this is: `python`, `command`, `beam`, the name of an installed driver, "
        "or `package.module:NAME`.",
    )
    simulate: bool = setting(False, flag(), "Run all nodes in one process, over in-memory transports.")
    linger: float = setting(
        0.0, number(least=0, most=A_DAY), "Seconds a cluster lives on after its last lease, to be reused."
    )
    watch: tuple[str, ...] = setting(
        (),
        texts_of(text(check_watch, examples=["config/**"])),
        "Files that the nodes read, relative to the project: if one has changed, the next use of "
        "the cluster restarts its nodes. May contain *, ? and **; a folder means everything in "
        "it.",
    )
    nodes: Nodes = field(default_factory=Nodes, metadata=section(Nodes))
    network: Network = field(default_factory=Network, metadata=section(Network))
    ports: Mapping[str, PortRange] = table(
        check_purpose,
        parsed(parse_ports, type=["string", "integer"], examples=["20000-23999"]),
        "A range of ports for each purpose, first and last included; or one port, for a server "
        "with a fixed port. The purposes of the driver have defaults.",
    )
    derived: Mapping[str, str] = table(
        check_purpose,
        text(check_derived, examples=["client + 10000"]),
        "Ports that depend on one of `[ports]`, such as the bus of Redis; they are claimed, too.",
    )
    timeouts: TimeoutSettings = field(default_factory=TimeoutSettings, metadata=section(TimeoutSettings))
    retry: Retry = field(default_factory=Retry, metadata=section(Retry))
    restart: RestartSettings = field(default_factory=RestartSettings, metadata=section(RestartSettings))
    templates: Mapping[str, str] = table(
        check_output,
        text(check_template),
        "File in the node's folder = its template, searched in the project's templates/ first, "
        "then among the shipped ones.",
    )
    environment: Mapping[str, str] = table(
        check_environment_name, text(), "Environment variables of the nodes."
    )
    tests: Tests = field(default_factory=Tests, metadata=section(Tests))
    python: Python = field(default_factory=Python, metadata=section(Python))
    requires: Mapping[str, str] = table(
        str,
        text(check_packages, examples=["debian redis-server, homebrew redis"]),
        "Required programs, and the package of each: of debian, homebrew, pip or npm. They are "
        "part of the code fingerprint.",
    )
    monitor: MonitorSettings = field(default_factory=MonitorSettings, metadata=section(MonitorSettings))
    adapt: Adapt = field(default_factory=Adapt, metadata=section(Adapt))
    sections: Mapping[str, object] = field(default_factory=dict)
    """The tables that drivers declare, by name: all of this profile's driver, and those that are
    set for others."""

    def section(self, of: type[S]) -> S:
        """The table that this class declares, with this profile's values."""
        return next((one for one in self.sections.values() if type(one) is of), None) or of()

    def tables(self) -> dict[str, object]:
        """Everything in it, as its file has it: values and tables by name."""
        return {**{one.name: getattr(self, one.name) for one in SHARED}, **self.sections}


SHARED: Final[tuple[Field[Any], ...]] = tuple(one for one in fields(Profile) if one.name != "sections")
"""The settings of every profile, with any driver."""
