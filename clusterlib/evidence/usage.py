"""What the clusters took and what they gave: samples of their nodes, and the tests they served."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from clusterlib.evidence.evidence import ClusterRun, Evidence, PlanRead
from clusterlib.evidence.lanes import RunHistory
from clusterlib.evidence.names import natural
from clusterlib.evidence.outcome import Outcome
from clusterlib.evidence.records import ClusterObtained, ClusterRepaired
from clusterlib.evidence.story import NodeUsage, Served, Tested, moment
from clusterlib.messages.uses import Obtained, Repaired

UNHARMED = frozenset({Repaired.SCALED, Repaired.RENEWED})
"""Repairs of clusters with which nothing was wrong."""

__all__ = ["clusters_of", "usage_of"]


def usage_of(runs: Iterable[ClusterRun]) -> tuple[NodeUsage, ...]:
    """Each node of each cluster over all its runs."""
    found: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for run in runs:
        for sample in run.samples:
            time = moment(sample.time)
            if time is None:
                continue
            for node, used in sample.nodes.items():
                found.setdefault((run.cluster, node), []).append((time, used.memory, used.cpu))
    ordered = sorted(found.items(), key=lambda item: (natural(item[0][0]), natural(item[0][1])))
    return tuple(_usage(cluster, node, sorted(points)) for (cluster, node), points in ordered)


def clusters_of(
    evidence: Evidence, tests: Sequence[Tested], histories: Sequence[RunHistory]
) -> tuple[Served, ...]:
    names = [record.what.cluster for record in evidence.of(ClusterObtained) if record.what.cluster]
    known = {*names, *(run.cluster for run in evidence.runs)}
    return tuple(_served(name, evidence, tests, histories) for name in sorted(known, key=natural))


def _served(
    cluster: str, evidence: Evidence, tests: Sequence[Tested], histories: Sequence[RunHistory]
) -> Served:
    runs = [run for run in evidence.runs if run.cluster == cluster]
    lives = [history for history in histories if history.cluster == cluster]
    obtained = [record for record in evidence.of(ClusterObtained) if record.what.cluster == cluster]
    started = [record.what for record in obtained]
    repaired = [record.what for record in evidence.of(ClusterRepaired) if record.what.cluster == cluster]
    first = started[0] if started else None
    plan = runs[-1].plan if runs else PlanRead()
    alone = {one.private_to for one in started if one.private_to}
    mine = [test for test in tests if cluster in dict(test.clusters) or test.test in alone]
    times = [moment(record.time) or 0.0 for record in obtained]
    return Served(
        cluster=cluster,
        profile=(first.profile if first else "") or plan.profile,
        nodes=first.nodes if first and first.nodes is not None else plan.size,
        how=first.how if first else Obtained.STARTED,
        simulated=first.simulated if first else plan.simulated,
        begin=min([*(life.begin for life in lives), *times], default=0.0),
        end=max([*(life.end for life in lives), *times], default=0.0),
        start_seconds=_start_seconds(first, runs),
        starts=sum(one.how is Obtained.STARTED for one in started) or len(lives),
        healed=sum(one.how not in UNHARMED for one in repaired),
        tests=sum(test.outcome is not Outcome.RERUN for test in mine),
        failed=sum(test.outcome.bad for test in mine),
        peak_memory=max((_peak(run) for run in runs), default=0),
        cpu_seconds=sum(usage.cpu_seconds for usage in usage_of(runs)),
        folders=tuple(run.folder for run in runs),
        borrowed=first is not None and first.borrowed,
    )


def _start_seconds(started: ClusterObtained | None, runs: Sequence[ClusterRun]) -> float | None:
    if started is not None and started.seconds is not None:
        return started.seconds
    took = (run.state.ready_seconds for run in runs)
    return next((seconds for seconds in took if seconds is not None), None)


def _peak(run: ClusterRun) -> int:
    """The most memory that all nodes together had at one look."""
    return max((sum(used.memory for used in look.nodes.values()) for look in run.samples), default=0)


def _usage(cluster: str, node: str, points: list[tuple[float, float, float]]) -> NodeUsage:
    shares = [0.0]
    used = points[0][2]
    for before, after in itertools.pairwise(points):
        # A node that was restarted counts from nothing again.
        spent = after[2] - before[2] if after[2] >= before[2] else after[2]
        used += spent
        shares.append(spent / max(after[0] - before[0], 1e-3))
    if len(shares) > 1:
        shares[0] = shares[1]
    return NodeUsage(
        cluster,
        node,
        times=tuple(point[0] for point in points),
        memory=tuple(point[1] for point in points),
        cpu=tuple(shares),
        cpu_seconds=used,
    )
