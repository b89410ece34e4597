"""What happened in a run: when nodes lived, when tests ran, what was broken, what failed and what
to do.

These are plain values. `building` makes them from evidence. The report, the JUnit of the cluster,
the summary and the annotations show them. Times are seconds since the epoch."""

from __future__ import annotations

from dataclasses import field
from datetime import UTC, datetime

from clusterlib.evidence.explained import Explained
from clusterlib.evidence.marks import MarkKind, SpanState
from clusterlib.evidence.outcome import Outcome
from clusterlib.frozen import frozen
from clusterlib.messages.uses import Obtained

__all__ = [
    "Failure",
    "Lane",
    "Mark",
    "NodeUsage",
    "PrintedLine",
    "PrintedLines",
    "Served",
    "Span",
    "Story",
    "Tested",
    "Trouble",
    "clock",
    "duration",
    "moment",
    "stamp",
]


@frozen
class Span:
    """A node in one state."""

    begin: float
    end: float
    state: SpanState
    reason: str = ""


@frozen
class Lane:
    cluster: str
    node: str
    spans: tuple[Span, ...]

    @property
    def eventful(self) -> bool:
        usual = {SpanState.STARTING, SpanState.READY, SpanState.STOPPING}
        return any(span.state not in usual for span in self.spans)


@frozen
class Tested:
    number: int
    test: str
    worker: str
    cluster: str
    run: str
    begin: float
    end: float
    outcome: Outcome
    message: str = ""
    file: str = ""
    line: int | None = None
    explained: Explained = Explained()
    waited: float = 0.0
    """Seconds from the request until its cluster was complete and free."""
    also: tuple[tuple[str, str], ...] = ()
    """The other clusters that it used, each with its run."""
    plain: bool = False
    """Whether it needs no cluster and is included because it failed."""

    @property
    def clusters(self) -> tuple[tuple[str, str], ...]:
        """All clusters that it used, each with its run."""
        return ((self.cluster, self.run), *self.also) if self.cluster else self.also

    @property
    def seconds(self) -> float:
        return self.end - self.begin


@frozen
class Mark:
    """An event at one time."""

    number: int
    time: float
    cluster: str
    run: str
    node: str
    kind: MarkKind
    label: str
    """A clause: "node2 was killed"."""
    detail: str = ""
    deed: str = ""
    """The same, as something that a test or user did on purpose: "killed node2"."""
    by: str = ""
    """The test that did it, as far as the keeper knows."""

    @property
    def bad(self) -> bool:
        return self.kind.bad


@frozen
class PrintedLine:
    time: float
    node: str
    text: str


@frozen
class PrintedLines:
    """What a node printed in a period: the last lines, and the number of lines before them."""

    node: str
    lines: tuple[PrintedLine, ...]
    left_out: int
    file: str
    """The whole log, relative to the report's folder."""


@frozen
class Failure:
    tested: Tested
    said: tuple[PrintedLines, ...]
    marks: tuple[Mark, ...]
    """What happened to its cluster during the test."""
    culprit: Mark | None
    """The last bad event that the test did not cause itself. None if there is none."""
    deed: Mark | None
    """The last fault that the test itself caused."""
    remedies: tuple[str, ...]

    @property
    def cause(self) -> str:
        """One clause, or nothing: "node2 ended by itself 0.3 s before it failed"."""
        return self.cause_of("it")

    def cause_of(self, test: str) -> str:
        """`cause`, with a name for the test."""
        if self.culprit is None:
            return ""
        label, time = self.culprit.label, self.culprit.time
        if time < self.tested.begin:
            return f"{label} {duration(self.tested.begin - time)} before {test} began, and was not back"
        return f"{label} {_before(time, self.tested.end, test)}"

    @property
    def did(self) -> str:
        """One clause, or nothing: "the test killed node2 0.3 s before it failed"."""
        if self.deed is None:
            return ""
        return f"the test {self.deed.deed} {_before(self.deed.time, self.tested.end, 'it')}"


@frozen
class Trouble:
    """What went wrong outside of tests: a start, a crash, or a failed end."""

    time: float
    where: str
    code: str
    problem: str
    cause: str
    evidence: tuple[str, ...]
    remedies: tuple[str, ...]
    attempts: int = 1
    tests: int = 0
    """How many tests could not run because of it."""
    then: str = ""
    """What was done about it: retry, smaller, simulate, skip, fail."""


@frozen
class NodeUsage:
    """What a node used over time."""

    cluster: str
    node: str
    times: tuple[float, ...]
    memory: tuple[float, ...]
    cpu: tuple[float, ...]
    """Share of one processor between two measurements."""
    cpu_seconds: float

    @property
    def peak(self) -> float:
        return max(self.memory, default=0)


@frozen
class Served:
    """A cluster and what it was used for."""

    cluster: str
    profile: str
    nodes: int
    how: Obtained
    simulated: bool
    begin: float
    end: float
    start_seconds: float | None
    starts: int
    healed: int
    tests: int
    failed: int
    peak_memory: float
    cpu_seconds: float
    folders: tuple[str, ...]
    """The folders of its runs, relative to the report's folder."""
    borrowed: bool = False


@frozen
class Story:
    project: str
    command: tuple[str, ...]
    began: float
    ended: float
    going: bool
    """The run still goes on."""
    killed: bool
    """The run is gone and did not record its end."""
    exit_code: int | None
    tests: tuple[Tested, ...]
    failures: tuple[Failure, ...]
    troubles: tuple[Trouble, ...]
    lanes: tuple[Lane, ...]
    marks: tuple[Mark, ...]
    clusters: tuple[Served, ...]
    usage: tuple[NodeUsage, ...]
    counts: dict[str, int] = field(default_factory=dict)
    interrupted: bool = False
    """A user or a test ended it before all tests had run: Ctrl-C, `pytest.exit()`."""
    unmet: int = 0
    """Records that could not be read, or were lost."""

    def count(self, *outcomes: Outcome) -> int:
        return sum(self.counts.get(outcome, 0) for outcome in outcomes)

    @property
    def total(self) -> int:
        """The number of tests, not of attempts."""
        return len(self.tests) - self.count(Outcome.RERUN)

    @property
    def failed(self) -> int:
        return self.count(Outcome.FAILED, Outcome.ERROR, Outcome.CUT)


def moment(text: object) -> float | None:
    """Seconds since the epoch for a time in the format of records."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def stamp(time: float) -> str:
    """The reverse."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def clock(time: float) -> str:
    """The time of day as in logs: 14:03:07.250, in UTC."""
    return stamp(time)[11:23]


def _before(time: float, end: float, test: str) -> str:
    ago = end - time
    return f"{duration(ago)} before {test} failed" if ago > 0.001 else f"as {test} failed"


def duration(value: float) -> str:
    """A duration as people write it."""
    value = max(0.0, value)
    if value < 0.0095:
        return f"{value * 1000:.1f} ms"
    if value < 0.95:
        return f"{value * 1000:.0f} ms"
    if value < 9.95:
        return f"{value:.1f} s"
    if value < 120:
        return f"{value:.0f} s"
    if value < 7200:
        return f"{value / 60:.0f} min"
    return f"{value / 3600:.1f} h"
