"""From a cluster's history: in which state each node was when, and what happened to whom."""

from __future__ import annotations

from collections.abc import Iterable

from clusterlib.evidence.marks import MarkKind, SpanState
from clusterlib.evidence.story import Lane, Mark, Span, moment
from clusterlib.frozen import frozen
from clusterlib.messages.event import Event
from clusterlib.messages.events import (
    ClusterDirty,
    ClusterHealed,
    ClusterRestarting,
    ClusterRetrying,
    ClusterScaling,
    ClusterStopped,
    ClusterStopping,
    FaultKill,
    FaultPause,
    FaultStop,
    HealResume,
    HealStart,
    NodeAbandoned,
    NodeKilled,
    NodeMoved,
    NodeRestartFailed,
    NodeRestarting,
    StateNotSaved,
    TurnEnded,
    TurnTaken,
)
from clusterlib.messages.happening import Happening, Unknown, unexpected_end
from clusterlib.messages.states import NodeState

__all__ = ["RunHistory", "read_history"]

GONE = frozenset({NodeState.STOPPED, NodeState.PLANNED})


@frozen
class RunHistory:
    """One run of one cluster."""

    cluster: str
    run: str
    begin: float
    end: float
    lanes: tuple[Lane, ...]
    marks: tuple[Mark, ...]


def read_history(
    cluster: str, run: str, events: Iterable[Event], until: float | None = None
) -> RunHistory | None:
    """`until`: the end of a run whose history goes on. None where nothing is known of a run."""
    reader = _HistoryReader(cluster, run)
    for event in events:
        time = moment(event.time)
        if time is not None:
            reader.take(time, event)
    if reader.begin is None:
        return None
    return reader.finish(until)


class _HistoryReader:
    def __init__(self, cluster: str, run: str) -> None:
        self.begin: float | None = None
        self._cluster = cluster
        self._run = run
        self._end = 0.0
        self._closed = False
        self._open: dict[str, tuple[float, SpanState, str]] = {}
        self._spans: dict[str, list[Span]] = {}
        self._killed: set[str] = set()
        self._turns: dict[str, bool] = {}
        """Who uses the cluster, and whether alone."""
        self._marks: list[Mark] = []

    def take(self, time: float, event: Event) -> None:
        if self.begin is None:
            self.begin = time
        self._end = max(self._end, time)
        match event.what:
            case NodeMoved() as move:
                self._move(time, move)
            case NodeRestarting(node=node, reason=reason):
                self._enter(time, node, SpanState.RESTARTING, reason)
            case NodeAbandoned(node=node, reason=reason):
                self._enter(time, node, SpanState.DEAD, reason)
            case FaultKill(node=node):
                self._killed.add(node)
            case TurnTaken(holder=holder, exclusive=exclusive):
                self._turns[holder] = exclusive
            case TurnEnded(holder=holder):
                self._turns.pop(holder, None)
            case ClusterStopped():
                self._closed = True
            case Unknown(name=NodeMoved.kind):  # a state that only another version knows
                self._enter(time, event.node, SpanState.UNHEALTHY, "")
        kind = _kind_of_mark(event.what)
        if kind is not None:
            what = event.what
            self._mark(time, event.node, kind, what.headline(), what.detail(), deed=what.deed())

    def finish(self, until: float | None) -> RunHistory:
        assert self.begin is not None
        end = self._end if self._closed or until is None else max(self._end, until)
        for node in list(self._open):
            self._enter(end, node, None, "")
        lanes = tuple(Lane(self._cluster, node, tuple(spans)) for node, spans in self._spans.items())
        return RunHistory(self._cluster, self._run, self.begin, end, lanes, tuple(self._marks))

    def _move(self, time: float, move: NodeMoved) -> None:
        node, reason = move.node, move.reason or move.exit or ""
        state = None if move.state in GONE else SpanState(str(move.state))
        before = self._open.get(node)
        died = state is SpanState.DEAD and (before is None or before[1] is not SpanState.DEAD)
        if died and node not in self._killed:
            how, detail = unexpected_end(reason)
            self._mark(time, node, MarkKind.CRASH, f"{node} {how}", detail)
        if move.state is NodeState.STARTING:
            self._killed.discard(node)
            if node in self._spans or node in self._open:
                state = SpanState.RESTARTING
        self._enter(time, node, state, reason)

    def _enter(self, time: float, node: str, state: SpanState | None, reason: str) -> None:
        """`state`: None if the node is gone."""
        spans = self._spans.setdefault(node, [])
        before = self._open.pop(node, None)
        if before is not None:
            spans.append(Span(before[0], max(time, before[0]), before[1], before[2]))
        if state is not None:
            self._open[node] = (time, state, reason)

    def _mark(
        self, time: float, node: str, kind: MarkKind, label: str, detail: str = "", *, deed: str = ""
    ) -> None:
        number = len(self._marks)
        by = next((holder for holder, alone in self._turns.items() if alone), "") if deed else ""
        self._marks.append(Mark(number, time, self._cluster, self._run, node, kind, label, detail, deed, by))


MARKS: dict[type[Happening], MarkKind] = {
    FaultKill: MarkKind.KILL,
    FaultStop: MarkKind.FAULT,
    FaultPause: MarkKind.PAUSE,
    HealStart: MarkKind.HEAL,
    HealResume: MarkKind.HEAL,
    ClusterHealed: MarkKind.HEAL,
    ClusterDirty: MarkKind.DIRTY,
    ClusterScaling: MarkKind.SCALE,
    ClusterRestarting: MarkKind.RESTART,
    ClusterRetrying: MarkKind.ERROR,
    NodeKilled: MarkKind.ERROR,
    NodeAbandoned: MarkKind.ERROR,
    NodeRestartFailed: MarkKind.ERROR,
    StateNotSaved: MarkKind.ERROR,
}
"""How the picture marks what happened; most is not marked."""


def _kind_of_mark(what: Happening) -> MarkKind | None:
    match what:
        case ClusterStopping(by=by) if by:
            return MarkKind.FAULT
        case ClusterStopped(clean=False):
            return MarkKind.ERROR
        case Unknown(name=name) if name.startswith(("fault.", "heal.")):
            return MarkKind(name.partition(".")[0])
    return MARKS.get(type(what))
