"""From a cluster's diary: in which state each node was when, and what happened to whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from clusterlib.artifacts.story import Lane, Mark, Span, moment
from clusterlib.frozen import frozen
from clusterlib.messages.events import Event
from clusterlib.messages.states import unexpected_end

__all__ = ["Diary", "read_diary"]

GONE = frozenset({"stopped", "planned"})
KNOWN = frozenset({"starting", "ready", "paused", "dead", "stopping"})


@frozen
class Diary:
    """One run of one cluster."""

    cluster: str
    run: str
    begin: float
    end: float
    lanes: tuple[Lane, ...]
    marks: tuple[Mark, ...]


def read_diary(cluster: str, run: str, events: Iterable[Event], until: float | None = None) -> Diary | None:
    """`until`: the end of a run whose diary goes on. None where nothing is known of a run."""
    reader = _Reader(cluster, run)
    for event in events:
        time = moment(event.get("time"))
        if time is not None:
            reader.take(time, event)
    if reader.begin is None:
        return None
    return reader.finish(until)


class _Reader:
    def __init__(self, cluster: str, run: str) -> None:
        self.begin: float | None = None
        self._cluster = cluster
        self._run = run
        self._end = 0.0
        self._closed = False
        self._open: dict[str, tuple[float, str, str]] = {}
        self._spans: dict[str, list[Span]] = {}
        self._killed: set[str] = set()
        self._turns: dict[str, bool] = {}
        """Who uses the cluster, and whether alone."""
        self._marks: list[Mark] = []

    def take(self, time: float, event: Event) -> None:
        if self.begin is None:
            self.begin = time
        self._end = max(self._end, time)
        kind, node = str(event.get("kind", "")), str(event.get("node", ""))
        if kind == "node.state":
            self._move(time, node, str(event.get("state", "")), event)
        elif kind == "node.restarting":
            self._enter(time, node, "restarting", str(event.get("reason", "")))
        elif kind == "node.abandoned":
            self._enter(time, node, "dead", str(event.get("reason", "")))
        if kind == "fault.kill":
            self._killed.add(node)
        if kind == "turn.taken":
            self._turns[str(event.get("holder", ""))] = bool(event.get("exclusive"))
        if kind == "turn.ended":
            self._turns.pop(str(event.get("holder", "")), None)
        if kind == "cluster.stopped":
            self._closed = True
        told = _told(kind, event)
        if told is not None:
            self._mark(time, node, *told, deed=_deed(kind, node))

    def finish(self, until: float | None) -> Diary:
        assert self.begin is not None
        end = self._end if self._closed or until is None else max(self._end, until)
        for node in list(self._open):
            self._enter(end, node, "", "")
        lanes = tuple(Lane(self._cluster, node, tuple(spans)) for node, spans in self._spans.items())
        return Diary(self._cluster, self._run, self.begin, end, lanes, tuple(self._marks))

    def _move(self, time: float, node: str, state: str, event: Event) -> None:
        reason = str(event.get("reason", "") or event.get("exit", ""))
        if state == "dead" and node not in self._killed and self._open.get(node, ("", "", ""))[1] != "dead":
            how, detail = unexpected_end(reason)
            self._mark(time, node, "crash", f"{node} {how}", detail)
        if state == "starting":
            self._killed.discard(node)
            if node in self._spans or node in self._open:
                state = "restarting"
        self._enter(time, node, state if state in KNOWN | GONE | {"restarting"} else "unhealthy", reason)

    def _enter(self, time: float, node: str, state: str, reason: str) -> None:
        spans = self._spans.setdefault(node, [])
        before = self._open.pop(node, None)
        if before is not None and before[1] not in GONE:
            spans.append(Span(before[0], max(time, before[0]), before[1], before[2]))
        if state and state not in GONE:
            self._open[node] = (time, state, reason)

    def _mark(
        self, time: float, node: str, kind: str, label: str, detail: str = "", *, deed: str = ""
    ) -> None:
        number = len(self._marks)
        by = next((holder for holder, alone in self._turns.items() if alone), "") if deed else ""
        self._marks.append(Mark(number, time, self._cluster, self._run, node, kind, label, detail, deed, by))


Told = tuple[str, Callable[[Event], str], Callable[[Event], str]]


def _reason(event: Event) -> str:
    return str(event.get("reason", ""))


_TOLD: dict[str, Told] = {
    "fault.kill": ("kill", lambda e: f"{e.get('node')} was killed", _reason),
    "fault.stop": ("fault", lambda e: f"{e.get('node')} was stopped", _reason),
    "heal.start": ("heal", lambda e: f"{e.get('node')} was started", _reason),
    "fault.pause": ("pause", lambda e: f"{e.get('node')} was paused", _reason),
    "heal.resume": ("heal", lambda e: f"{e.get('node')} was resumed", _reason),
    "cluster.healed": ("heal", lambda _: "the cluster was healed", _reason),
    "cluster.dirty": ("dirty", lambda _: "the cluster became dirty", _reason),
    "cluster.scaling": (
        "scale",
        lambda e: f"scaled from {e.get('before')} to {e.get('after')} nodes",
        lambda _: "",
    ),
    "cluster.restarting": ("restart", lambda e: f"{_names(e.get('nodes'))} restarted on request", _reason),
    "cluster.retrying": ("error", lambda _: "the start was repeated", _reason),
    "node.killed": ("error", lambda e: f"{e.get('node')} did not stop and was killed", _reason),
    "node.abandoned": ("error", lambda e: f"{e.get('node')} was given up", _reason),
    "node.restart-failed": (
        "error",
        lambda e: f"{e.get('node')} did not start again",
        lambda e: _problem(e.get("error")),
    ),
    "state.not-saved": ("error", lambda _: "the state could not be saved", _reason),
}
"""What an event is in the picture: kind of mark, label, detail."""


def _told(kind: str, event: Event) -> tuple[str, str, str] | None:
    """Most events are no mark."""
    if kind in _TOLD:
        sort, label, detail = _TOLD[kind]
        return sort, label(event), detail(event)
    if kind == "cluster.stopping" and event.get("by"):
        return "fault", "the cluster was taken down", ""
    if kind == "cluster.stopped" and event.get("clean") is False:
        return "error", "processes survived the shutdown", ""
    if kind.startswith(("fault.", "heal.")):
        sort, _, what = kind.partition(".")
        return sort, f"{what} {event.get('node', '')}".strip(), _reason(event)
    return None


def _deed(kind: str, node: str) -> str:
    """What somebody did who made this happen on purpose."""
    sort, _, what = kind.partition(".")
    if kind == "cluster.stopping":
        return "took the cluster down"
    if sort != "fault":
        return ""
    known = {"kill": f"killed {node}", "pause": f"paused {node}", "stop": f"stopped {node}"}
    return known.get(what, f"caused a {what}" + (f" of {node}" if node else ""))


def _names(nodes: Any) -> str:
    names = [str(node) for node in nodes] if isinstance(nodes, list) else []
    if len(names) > 3:
        return f"{len(names)} nodes"
    return " and ".join(names) if names else "nodes"


def _problem(error: Any) -> str:
    return str(error.get("problem", "")) if isinstance(error, dict) else ""
