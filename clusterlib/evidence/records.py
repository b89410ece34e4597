"""The catalogue of records: the name and the fields of each kind. A test run writes a record when
something happens; reports are made from records.

They are lines of JSON in `records/<worker>.jsonl`: `{"time": "...Z", "kind": "run.ended", "worker":
"main", "exit_code": 0}`. Every field has a default, since a reader may find records of other
versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, ClassVar, Generic, TypeVar

from clusterlib.evidence.explained import Explained
from clusterlib.evidence.outcome import Outcome
from clusterlib.frozen import frozen
from clusterlib.machine.facts import Machine
from clusterlib.messages.codec import plain, salvage
from clusterlib.messages.findings import Finding
from clusterlib.messages.recorded import RecordedError
from clusterlib.messages.states import ClusterState, NodeState
from clusterlib.messages.uses import AfterRefusal, Obtained, Repaired

__all__ = [
    "LEADER",
    "ClusterEnded",
    "ClusterObtained",
    "ClusterRefused",
    "ClusterRepaired",
    "HealthRecorded",
    "LargestNeed",
    "MachineFacts",
    "NodeRecorded",
    "PlannedGroup",
    "PreflightRecorded",
    "Record",
    "RecordWriter",
    "Recorded",
    "RefusalCaught",
    "RunEnded",
    "RunStarted",
    "ScheduleRecorded",
    "TestEnded",
    "TestStarted",
    "UnknownRecord",
    "Unservable",
    "UsedCluster",
]

LEADER = "main"
"""The worker that writes the records of a run as a whole."""


@frozen
class UsedCluster:
    """A cluster that a record is about."""

    cluster: str = ""
    run: str = ""
    """The folder of its run."""


@frozen
class MachineFacts:
    """The machine on which a run took place."""

    ci: str | None = None
    cpus: float | None = None
    memory: int | None = None
    ephemeral: str = ""
    reasons: tuple[str, ...] = ()

    @staticmethod
    def of(machine: Machine) -> MachineFacts:
        return MachineFacts(machine.ci, machine.cpus, machine.memory, str(machine.ephemeral), machine.reasons)


@frozen
class LargestNeed:
    """The test that asks for most nodes in its group."""

    test: str = ""
    size: int | None = None


@frozen
class PlannedGroup:
    """Tests that the same cluster serves at the same size."""

    profile: str = ""
    nodes: int = 0
    exact: bool = False
    starts: bool = True
    """Whether a cluster is started for it."""
    tests: tuple[str, ...] = ()
    largest: LargestNeed = LargestNeed()


@frozen
class Unservable:
    """A test that no cluster can serve, and why."""

    test: str = ""
    error: RecordedError = RecordedError()


@frozen
class NodeRecorded:
    """The health of a node: what each check found."""

    node: str = ""
    state: NodeState | None = None
    healthy: bool = False
    checks: tuple[Finding, ...] = ()


# -- the kinds


class Recorded:
    """The content of a record."""

    __slots__ = ()
    kind: ClassVar[str] = ""
    """Its name in files; empty for classes that only others extend."""
    known: ClassVar[dict[str, type[Recorded]]] = {}
    """Every kind of record, by its name."""

    def __init_subclass__(cls) -> None:
        if cls.kind:
            Recorded.known[cls.kind] = cls

    def used(self) -> tuple[UsedCluster, ...]:
        """The clusters that it is about; a test may have used several."""
        return ()


@frozen
class UnknownRecord(Recorded):
    """Written by another version of clusterlib."""

    name: str
    facts: Mapping[str, Any]

    def used(self) -> tuple[UsedCluster, ...]:
        return _named(salvage(UsedCluster, self.facts))


@frozen
class RunStarted(Recorded):
    kind = "run.started"
    argv: tuple[str, ...] = ()
    project: str = ""
    python: str = ""
    clusterlib: str = ""
    machine: MachineFacts = MachineFacts()


@frozen
class RunEnded(Recorded):
    kind = "run.ended"
    exit_code: int | None = None


@frozen
class ScheduleRecorded(Recorded):
    """Which cluster is to serve which tests."""

    kind = "schedule"
    tests: int = 0
    starts: int = 0
    groups: tuple[PlannedGroup, ...] = ()
    impossible: tuple[Unservable, ...] = ()
    private: tuple[str, ...] = ()
    """Tests that start their clusters themselves."""
    total: int = 0
    distributed: int = 0


@frozen
class PreflightRecorded(Recorded):
    kind = "preflight"
    profile: str = ""
    findings: tuple[Finding, ...] = ()


@frozen
class OfCluster(Recorded):
    """A record of one run of one cluster."""

    cluster: str | None = None
    run: str | None = None
    """The folder of the run."""

    def used(self) -> tuple[UsedCluster, ...]:
        return _named(UsedCluster(self.cluster or "", self.run or ""))


@frozen
class ClusterObtained(OfCluster):
    """A run of tests has a cluster: it has started one, joined one or borrowed one."""

    kind = "cluster.started"
    profile: str = ""
    nodes: int | None = None
    seconds: float | None = None
    how: Obtained = Obtained.STARTED
    simulated: bool = False
    private_to: str | None = None
    """The test that has it for itself."""

    @property
    def borrowed(self) -> bool:
        return self.how in {Obtained.BORROWED, Obtained.JOINED}


@frozen
class ClusterRefused(OfCluster):
    """A cluster did not start."""

    kind = "cluster.failed"
    profile: str = ""
    nodes: int | None = None
    attempt: int = 1
    error: RecordedError = RecordedError()
    next: AfterRefusal | None = None

    @property
    def is_tried_again(self) -> bool:
        return self.next is not None and self.next.tries_again


@frozen
class RefusalCaught(Recorded):
    """A test has handled the error of a cluster that did not start, so this is no trouble."""

    kind = "cluster.failure-caught"
    test: str = ""
    since: str = ""
    """When the test began."""
    error: RecordedError = RecordedError()

    def covers(self, refused: Record[ClusterRefused], *, caught: str) -> bool:
        error = refused.what.error
        same = (error.code, error.problem) == (self.error.code, self.error.problem)
        return same and self.since <= refused.time <= caught


@frozen
class ClusterRepaired(OfCluster):
    """A cluster was made fit for the next test."""

    kind = "cluster.healed"
    how: Repaired = Repaired.HEALED
    seconds: float = 0.0
    reason: str = ""


@frozen
class ClusterEnded(OfCluster):
    kind = "cluster.ended"
    seconds: float = 0.0
    error: RecordedError | None = None
    """What its end has left."""
    because: RecordedError | None = None
    """Why it could not go on."""


@frozen
class HealthRecorded(OfCluster):
    kind = "health"
    profile: str = ""
    simulated: bool = False
    state: ClusterState | None = None
    healthy: bool = False
    columns: tuple[tuple[str, str], ...] = ()
    """Group and name of each check."""
    nodes: tuple[NodeRecorded, ...] = ()
    seconds: float = 0.0


@frozen
class OfTest(OfCluster):
    """A record of a test, with the first cluster that it used."""

    test: str = ""
    file: str | None = None
    line: int | None = None
    also: tuple[UsedCluster, ...] = ()
    """The other clusters that it used."""

    def used(self) -> tuple[UsedCluster, ...]:
        return _named(UsedCluster(self.cluster or "", self.run or ""), *self.also)


@frozen
class TestStarted(OfTest):
    """All that is known of a test, in case it ends its process."""

    kind = "test.started"
    __test__: ClassVar[bool] = False
    """pytest must not collect this class."""


@frozen
class TestEnded(OfTest):
    kind = "test.ended"
    __test__: ClassVar[bool] = False
    outcome: Outcome = Outcome.ERROR
    seconds: float = 0.0
    message: str = ""
    explained: Explained | None = None
    began: str | None = None
    served: str | None = None
    """When it had its cluster."""
    plain: bool = False
    """It needs no cluster, and is recorded because it failed."""


def _named(*used: UsedCluster) -> tuple[UsedCluster, ...]:
    return tuple(one for one in used if one.cluster or one.run)


# -- a line


R_co = TypeVar("R_co", bound=Recorded, covariant=True)
RecordWriter = Callable[[Recorded], object]
"""Writes a record at once."""


@frozen
class Record(Generic[R_co]):
    """A line of a file of records."""

    time: str
    worker: str
    what: R_co
    data: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)
    """The data it was read from, which may have more than the catalogue knows."""

    def to_dict(self) -> dict[str, Any]:
        """As it is in the file."""
        if self.data is not None:
            return dict(self.data)
        return {"time": self.time, "kind": self.what.kind, "worker": self.worker, **plain(self.what)}

    @staticmethod
    def of(data: object, worker: str = LEADER) -> Record[Recorded] | None:
        """Reads a line; None if it is not a record.

        `worker` is the writer, if the line names none."""
        if not isinstance(data, Mapping):
            return None
        time, kind = data.get("time"), data.get("kind")
        if not isinstance(time, str) or not isinstance(kind, str):
            return None
        facts = {key: value for key, value in data.items() if key not in {"time", "kind", "worker"}}
        known = Recorded.known.get(kind)
        what = UnknownRecord(kind, facts) if known is None else salvage(known, facts)
        writer = data.get("worker")
        return Record(time, writer if isinstance(writer, str) else worker, what, {"worker": worker, **data})
