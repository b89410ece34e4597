"""What happened to the nodes during a load, besides the load: what they used, and what broke."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from clusterlib.client.cluster import Cluster
from clusterlib.errors import ClusterError
from clusterlib.frozen import frozen
from clusterlib.load.results import LoadedUsage, LoadFault
from clusterlib.messages.event import Event
from clusterlib.messages.events import Fault, NodeMoved
from clusterlib.messages.requests import Measure
from clusterlib.messages.states import NodeState

__all__ = ["UsageLook", "UsageSampler", "faults_of", "usage_of"]

MARKED = frozenset({NodeState.READY, NodeState.PAUSED, NodeState.STOPPED, NodeState.DEAD})


@frozen
class UsageLook:
    """What a node used at a moment."""

    time: float
    """Seconds, of a clock that only goes on."""
    memory: int
    cpu: float
    """Seconds of processor time since it started."""


class UsageSampler:
    """Asks the keeper what its nodes use, only while a load runs. A keeper that does not answer
    costs the figures, and not the load."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._looks: dict[str, list[UsageLook]] = {}

    def look(self) -> None:
        try:
            used = self._cluster.keeper.ask(Measure()).nodes
        except ClusterError:
            return
        now = time.monotonic()
        for name, sample in used.items():
            self._looks.setdefault(name, []).append(UsageLook(now, sample.pss, sample.cpu_seconds))

    def of(self, name: str) -> LoadedUsage | None:
        return usage_of(self._looks.get(name, ()))


def usage_of(looks: Iterable[UsageLook]) -> LoadedUsage | None:
    """None if there are fewer than two. The processor time of a node that was restarted begins at
    zero again."""
    every = list(looks)
    if len(every) < 2:
        return None
    used = 0.0
    for before, after in itertools.pairwise(every):
        used += after.cpu - before.cpu if after.cpu >= before.cpu else after.cpu
    seconds = every[-1].time - every[0].time
    return LoadedUsage(
        memory=max(look.memory for look in every),
        cpu=round(used / seconds, 3) if seconds > 0 else 0.0,
    )


def faults_of(events: Iterable[Event], begun: datetime, seconds: float) -> tuple[LoadFault, ...]:
    """What broke and recovered in that time, with the second of the load."""
    return tuple(_faults(events, begun, seconds))


def _faults(events: Iterable[Event], begun: datetime, seconds: float) -> Iterator[LoadFault]:
    broken = ""
    for event in events:
        what = event.what
        if not isinstance(what, Fault | NodeMoved):
            continue
        if isinstance(what, NodeMoved) and (what.state not in MARKED or what.node == broken):
            broken = broken if what.state not in MARKED else ""
            continue
        if isinstance(what, Fault):
            broken = what.node
        at = (_time(event) - begun).total_seconds()
        if 0 <= at <= seconds:
            yield LoadFault(round(at, 3), what.node, what.sentence())


def _time(event: Event) -> datetime:
    found = datetime.fromisoformat(event.time)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
