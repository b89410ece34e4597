"""What the clusters took and what they gave: samples of their nodes, and the tests they served."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from clusterlib.evidence.evidence import Evidence, Run
from clusterlib.evidence.facts import natural
from clusterlib.evidence.lanes import Diary
from clusterlib.evidence.recorder import Record
from clusterlib.evidence.story import Outcome, Served, Tested, Usage, moment

__all__ = ["clusters_of", "usage_of"]


def usage_of(runs: Iterable[Run]) -> tuple[Usage, ...]:
    """Each node of each cluster over all its runs."""
    found: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for run in runs:
        for sample in run.samples:
            time = moment(sample.get("time"))
            if time is None:
                continue
            for node, (memory, cpu) in _measured(sample).items():
                found.setdefault((run.cluster, node), []).append((time, memory, cpu))
    ordered = sorted(found.items(), key=lambda item: (natural(item[0][0]), natural(item[0][1])))
    return tuple(_usage(cluster, node, sorted(points)) for (cluster, node), points in ordered)


def clusters_of(evidence: Evidence, tests: Sequence[Tested], diaries: Sequence[Diary]) -> tuple[Served, ...]:
    names = [str(record["cluster"]) for record in evidence.of("cluster.started") if record.get("cluster")]
    known = {*names, *(run.cluster for run in evidence.runs)}
    return tuple(_served(name, evidence, tests, diaries) for name in sorted(known, key=natural))


def _served(cluster: str, evidence: Evidence, tests: Sequence[Tested], diaries: Sequence[Diary]) -> Served:
    runs = [run for run in evidence.runs if run.cluster == cluster]
    lives = [diary for diary in diaries if diary.cluster == cluster]
    started = [record for record in evidence.of("cluster.started") if record.get("cluster") == cluster]
    made_right = [record for record in evidence.of("cluster.healed") if record.get("cluster") == cluster]
    healed = [record for record in made_right if record.get("how") != "scaled"]  # nothing was wrong with it
    first: Record = started[0] if started else {}
    plan = runs[-1].plan if runs else {}
    alone = {str(record["private_to"]) for record in started if record.get("private_to")}
    mine = [test for test in tests if cluster in dict(test.clusters) or test.test in alone]
    times = [moment(record["time"]) or 0.0 for record in started]
    return Served(
        cluster=cluster,
        profile=str(first.get("profile") or plan.get("profile") or ""),
        nodes=_nodes(first, plan),
        how=str(first.get("how") or "started"),
        simulated=bool(first.get("simulated", plan.get("simulated", False))),
        begin=min([*(life.begin for life in lives), *times], default=0.0),
        end=max([*(life.end for life in lives), *times], default=0.0),
        start_seconds=_start_seconds(first, runs),
        starts=sum(record.get("how", "started") == "started" for record in started) or len(lives),
        healed=len(healed),
        tests=sum(test.outcome is not Outcome.RERUN for test in mine),
        failed=sum(test.outcome.bad for test in mine),
        peak_memory=max((_sum(run, 0) for run in runs), default=0.0),
        cpu_seconds=sum(usage.cpu_seconds for usage in usage_of(runs)),
        folders=tuple(run.folder for run in runs),
        borrowed=str(first.get("how")) in {"borrowed", "joined"},
    )


def _nodes(started: Record, plan: dict[str, Any]) -> int:
    told = started.get("nodes")
    if isinstance(told, int):
        return told
    return len(told if isinstance(told, list) else plan.get("nodes") or ())


def _start_seconds(started: Record, runs: Sequence[Run]) -> float | None:
    seconds = started.get("seconds")
    if isinstance(seconds, int | float):
        return float(seconds)
    for run in runs:
        seconds = run.state.get("ready_seconds")
        if isinstance(seconds, int | float):
            return float(seconds)
    return None


def _sum(run: Run, what: int) -> float:
    """The most that all nodes together had at one look."""
    return max((sum(measured[what] for measured in _measured(s).values()) for s in run.samples), default=0.0)


def _measured(sample: dict[str, Any]) -> dict[str, tuple[float, float]]:
    nodes = sample.get("nodes")
    if not isinstance(nodes, dict):
        return {}
    found = {}
    for node, values in nodes.items():
        if isinstance(values, dict):
            memory, cpu = values.get("memory"), values.get("cpu")
            if isinstance(memory, int | float) and isinstance(cpu, int | float):
                found[str(node)] = (float(memory), float(cpu))
    return found


def _usage(cluster: str, node: str, points: list[tuple[float, float, float]]) -> Usage:
    shares = [0.0]
    used = points[0][2]
    for before, after in itertools.pairwise(points):
        # A node that was restarted counts from nothing again.
        spent = after[2] - before[2] if after[2] >= before[2] else after[2]
        used += spent
        shares.append(spent / max(after[0] - before[0], 1e-3))
    if len(shares) > 1:
        shares[0] = shares[1]
    return Usage(
        cluster,
        node,
        times=tuple(point[0] for point in points),
        memory=tuple(point[1] for point in points),
        cpu=tuple(shares),
        cpu_seconds=used,
    )
