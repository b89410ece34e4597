"""What a failing test shows of its cluster: the output of each node, and its events, during the
test."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from clusterlib.client.cluster import Cluster
from clusterlib.errors import ClusterError
from clusterlib.evidence.redaction import redactor_for
from clusterlib.hosts.logs import tail
from clusterlib.messages.event import Event
from clusterlib.rundir.event_files import read_events

__all__ = ["sections", "stack_sections", "timed_out"]

MOST_LINES = 60
"""Of all nodes together, with one failed test, unless more of each are asked for.

The report has the rest."""
MOST_HAPPENED = 30
"""Lines of what happened to a cluster."""
FEWEST_LINES = 3
"""Of each node, however many there are."""
LONGEST_LINE = 300
Section = tuple[str, str]
SHOWN = ("fault.", "heal.", "node.", "cluster.")


def sections(clusters: Sequence[Cluster], began: datetime, lines: int) -> Iterator[Section]:
    """For the report of a failed test.

    `lines` is how many of each node are shown at most: the last ones."""
    for cluster in clusters:
        with contextlib.suppress(ClusterError):
            cluster.flush_logs()  # one that is gone has nothing more to say
        clean = redactor_for([cluster.run_folder.path], os.environ).text
        for title, text in _of(cluster, began, lines, f"{cluster.name}: " if len(clusters) > 1 else ""):
            yield title, clean(text)


def _of(cluster: Cluster, began: datetime, lines: int, prefix: str) -> Iterator[Section]:
    run = cluster.run_folder
    events = [event for event in read_events(run.events) if _is_since(event, began)]
    there = {node.name for node in cluster} | {event.node for event in events}
    said = {
        node: [line for line in tail(run.log(node), lines) if line.time >= began]
        for node in (run.node_names() if lines else [])
    }
    silent = [node for node in said if not said[node] and node in there]  # others were scaled away before it
    most = _share([len(one) for one in said.values()], max(lines, MOST_LINES))
    for node, all_of_it in said.items():
        shown = all_of_it[-most:]
        if not shown:
            continue
        many = "the last " if len(shown) == lines or shown != all_of_it else ""
        counted = "1 line" if len(shown) == 1 else f"{len(shown)} lines"
        text = "\n".join(f"{_clock(line.time)} {_brief(line.text)}" for line in shown)
        yield f"{prefix}{node}: {many}{counted} during this test", text
    happened = [text for event in events if (text := _sentence(event))]
    if happened:
        yield f"{prefix}cluster: what happened", "\n".join(_bounded(happened, run.events))
    if silent:
        yield f"{prefix}cluster", f"{', '.join(silent)} printed nothing"


def _bounded(happened: Sequence[str], file: Path) -> list[str]:
    """The first and the last of it: how it began, and how it was when the test failed."""
    left_out = len(happened) - MOST_HAPPENED
    if left_out <= 1:  # a line that says so would be as long
        return [*happened]
    first = MOST_HAPPENED // 2
    note = f"... {left_out} lines are left out; all of them are in {file}"
    return [*happened[:first], note, *happened[first + left_out :]]


def stack_sections(clusters: Sequence[Cluster], began: datetime) -> Iterator[Section]:
    """For a test that did not end in time: what the nodes do that it has called."""
    for cluster in clusters:
        clean = redactor_for([cluster.run_folder.path], os.environ).text
        for node in cluster.nodes:
            if node.called is None or node.called < began:
                continue
            look, lines = node.last_look, []
            with contextlib.suppress(ClusterError):
                lines = look[1] if look is not None and look[0] >= began else node.stacks()
            if lines:
                yield f"{node.name}: its stacks at the time-out", clean("\n".join(lines))


def timed_out(report: Any) -> bool:
    """Whether the test ended by pytest-timeout, or by a TimeoutError or alarm of the user."""
    crash = getattr(getattr(report, "longrepr", None), "reprcrash", None)
    text = crash.message if crash is not None else str(getattr(report, "longrepr", ""))
    return text.startswith(("Failed: Timeout", "Timeout", "TimeoutError"))


def _share(counts: Sequence[int], together: int) -> int:
    """The most lines of a node so that those of all nodes leave pytest's summary on the screen.

    Nodes with much output are cut first."""
    most = max(counts, default=0)
    while most > FEWEST_LINES and sum(min(count, most) for count in counts) > together:
        most -= 1
    return most


def _brief(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]} ... ({len(text)} characters)"


def _is_since(event: Event, began: datetime) -> bool:
    try:
        return datetime.fromisoformat(event.time) >= began
    except (TypeError, ValueError):
        return False


def _sentence(event: Event) -> str:
    text = event.sentence() if event.kind.startswith(SHOWN) else ""
    return f"{_clock(datetime.fromisoformat(event.time))} {text}" if text else ""


def _clock(time: datetime) -> str:
    return time.strftime("%H:%M:%S.%f")[:-3]
