"""The output of the nodes: merged by time, of a running cluster or of the last run."""

from __future__ import annotations

import heapq
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from clusterlib.client.start import cluster_name, lock_of, project_folder
from clusterlib.errors import NodeUnknown, UsageError
from clusterlib.frozen import frozen
from clusterlib.hosts.logs import LogFollower, LogLine, read
from clusterlib.operations.declaring import Caller, operation
from clusterlib.operations.parameters import ClusterName, Follow, Grep, Lines, NodeName, Since
from clusterlib.operations.reach import not_running
from clusterlib.operations.result import Result
from clusterlib.rundir.folders import RunFolder, latest_run
from clusterlib.waiting import Deadline, poll

__all__ = ["LogEntry", "LogView", "Logs", "logs", "moment"]

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
QUIET = 0.25
"""How long one look waits for news before it asks whether the cluster still lives."""


@frozen
class LogEntry(Result):
    time: str
    node: str
    text: str


@frozen
class Logs(Result):
    cluster: str
    run: str
    running: bool
    lines: tuple[LogEntry, ...]
    nodes: tuple[str, ...]
    """All that have a log."""
    filtered: bool
    """Whether not all lines were asked for."""


class LogView:
    """The logs of one run, filtered."""

    def __init__(
        self,
        node: str | None = None,
        *,
        name: str | None = None,
        since: str | None = None,
        grep: str | None = None,
        lines: int | None = None,
        project: Path | str | None = None,
    ) -> None:
        folder = project_folder(project)
        self.cluster = cluster_name(name)
        self._since = moment(since) if since else None
        self._grep = _pattern(grep) if grep else None
        self._count = lines
        run = latest_run(folder, self.cluster)
        if run is None:
            raise not_running(self.cluster, folder)
        self.run: RunFolder = run
        self._lock = lock_of(folder, self.cluster)
        self._only = node
        self.nodes = self._names()
        if node and node not in self.nodes:
            raise NodeUnknown(
                f"cluster '{self.cluster}' has no log of a node {node!r}",
                evidence=[f"there are: {', '.join(self.nodes) or 'none'}"],
            )

    @property
    def filtered(self) -> bool:
        return self._since is not None or self._grep is not None

    @property
    def running(self) -> bool:
        return not self._lock.is_free()

    def read(self) -> Logs:
        """What there is now."""
        readers = [read(self.run.log(one), node=one, since=self._since) for one in self._wanted()]
        merged = heapq.merge(*readers, key=lambda line: line.time)
        chosen: Iterable[LogLine] = (line for line in merged if self._fits(line))
        if self._count is not None:
            chosen = deque(chosen, maxlen=self._count)
        return Logs(
            cluster=self.cluster,
            run=str(self.run.path),
            running=self.running,
            lines=tuple(_entry(line) for line in chosen),
            nodes=tuple(self.nodes),
            filtered=self.filtered,
        )

    def follow(self) -> Iterator[LogEntry]:
        """What there is, then what comes, until the cluster ends.

        A node that joins later is followed, too."""
        followers: dict[str, LogFollower] = {}

        def new() -> list[LogLine]:
            for one in self._wanted():
                if one not in followers:
                    followers[one] = LogFollower(self.run.log(one), node=one, from_start=True)
            news = [line for follower in followers.values() for line in follower.new_lines()]
            return sorted((line for line in news if self._fits(line)), key=lambda line: line.time)

        try:
            first = new()
            yield from map(_entry, first[-self._count :] if self._count else first)
            running = True
            while running:
                running = self.running  # asked before the look: what came until then is still shown
                yield from map(_entry, poll(new, Deadline(QUIET if running else 0.0)))
        finally:
            for follower in followers.values():
                follower.close()

    def _names(self) -> list[str]:
        return sorted(self.run.node_names(), key=_naturally)

    def _wanted(self) -> list[str]:
        return [self._only] if self._only else self._names()

    def _fits(self, line: LogLine) -> bool:
        return (self._since is None or line.time >= self._since) and (
            self._grep is None or self._grep.search(line.text) is not None
        )


@operation(effect="read")
def logs(
    caller: Caller,
    node: NodeName | None = None,
    *,
    name: ClusterName | None = None,
    follow: Follow = False,
    since: Since | None = None,
    grep: Grep | None = None,
    lines: Lines | None = None,
) -> Logs | LogView:
    """Show what the nodes printed, merged by time; of the last run if none is running."""
    view = LogView(node, name=name, since=since, grep=grep, lines=lines, project=caller.project)
    return view if follow else view.read()


def moment(text: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> datetime:
    """`5m` ago, or an ISO time; one without a zone is local time."""
    ago = re.fullmatch(r"([0-9]{1,9})([smhd])", text.strip())
    try:
        if ago:
            return now() - timedelta(seconds=int(ago[1]) * UNITS[ago[2]])
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{text!r} is no time", cause="use 30s, 5m, 2h or 1d for so long ago, or 2026-01-31T12:00:00Z"
        ) from error


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise UsageError(f"{text!r} is no regular expression", cause=str(error)) from error


def _entry(line: LogLine) -> LogEntry:
    time = line.time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return LogEntry(time, line.node, line.text)


def _naturally(name: str) -> list[Any]:
    """node2 before node10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"([0-9]+)", name)]
