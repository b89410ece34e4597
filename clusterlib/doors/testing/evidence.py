"""What a failing test shows of its cluster: what each node said, and what happened to it, while the test ran."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from clusterlib.doors.progress import sentence
from clusterlib.errors import ClusterError
from clusterlib.hosts.logs import tail
from clusterlib.lifecycle.cluster import Cluster
from clusterlib.lifecycle.events import read_events

__all__ = ["sections"]

Section = tuple[str, str]
TOLD = ("fault.", "heal.", "node.", "cluster.")


def sections(clusters: Sequence[Cluster], began: datetime, lines: int) -> Iterator[Section]:
    """For the report of a failed test. `lines` is how many of each node are shown at most: the last ones."""
    for cluster in clusters:
        with contextlib.suppress(ClusterError):
            cluster.flush_logs()  # one that is gone has nothing more to say
        yield from _of(cluster, began, lines, f"{cluster.name}: " if len(clusters) > 1 else "")


def _of(cluster: Cluster, began: datetime, lines: int, prefix: str) -> Iterator[Section]:
    run = cluster.run_folder
    events = [event for event in read_events(run.events) if _is_since(event, began)]
    there = {node.name for node in cluster} | {event.get("node") for event in events}
    silent = []
    for node in run.node_names() if lines else []:
        said = [line for line in tail(run.log(node), lines) if line.time >= began]
        if not said:
            silent += [node] if node in there else []  # else an earlier test has scaled it away
            continue
        many = "the last " if len(said) == lines else ""
        counted = "1 line" if len(said) == 1 else f"{len(said)} lines"
        text = "\n".join(f"{_clock(line.time)} {line.text}" for line in said)
        yield f"{prefix}{node}: {many}{counted} during this test", text
    happened = [text for event in events if (text := _told(event))]
    if happened:
        yield f"{prefix}cluster: what happened", "\n".join(happened)
    if silent:
        yield f"{prefix}cluster", f"{', '.join(silent)} said nothing"


def _is_since(event: dict[str, Any], began: datetime) -> bool:
    try:
        return datetime.fromisoformat(event["time"]) >= began
    except (KeyError, TypeError, ValueError):
        return False


def _told(event: dict[str, Any]) -> str:
    text = sentence(event) if str(event.get("kind", "")).startswith(TOLD) else ""
    return f"{_clock(datetime.fromisoformat(event['time']))} {text}" if text else ""


def _clock(time: datetime) -> str:
    return time.strftime("%H:%M:%S.%f")[:-3]
