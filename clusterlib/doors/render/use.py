"""What a cluster is used for: commands run in it, its logs, its events, values of its nodes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from clusterlib.doors.exits import INTERRUPTED
from clusterlib.doors.render.pieces import counted, several
from clusterlib.messages.event import Event

if TYPE_CHECKING:
    from clusterlib.doors.console import Console
    from clusterlib.operations.events import ClusterEvents, FollowedEvents
    from clusterlib.operations.logs import LogEntry, Logs, LogView
    from clusterlib.operations.report import Reported
    from clusterlib.operations.run import CommandReady, Ran
    from clusterlib.operations.serving import ProjectServer, Serving
    from clusterlib.operations.shell import Evaluated

__all__ = [
    "cluster_events",
    "evaluated",
    "event",
    "followed",
    "followed_events",
    "logs",
    "ran",
    "ready",
    "reported",
    "served",
    "serving",
]

ENTRY = frozenset({"number", "time", "kind"})
"""What every event has."""


def ready(console: Console, result: CommandReady) -> None:
    console.close()
    paint, cluster = console.aside, result.cluster
    how = (
        "borrowed, and left running" if result.borrowed else f"ready after {cluster.ready_seconds or 0:.2f} s"
    )
    mark = f" {paint('[SIMULATED]', 'magenta')}" if cluster.simulated else ""
    console.say(
        f"cluster {paint(cluster.name, 'bold')}{mark} {how}: {counted(cluster)}, profile {cluster.profile}"
    )
    if result.verbose:
        for node in cluster.nodes:
            console.say(f"  {node.name}  {node.address}:{node.ports.get('cluster', '-')}  {node.url or ''}")
        console.say(f"  run folder: {cluster.run}")
    console.say(paint(f"$ {shlex.join(result.command)}", "dim"))


def ran(console: Console, result: Ran) -> None:
    paint = console.aside
    if result.artifacts:
        console.say(f"report: {result.artifacts}/report.html")
    if result.exit_code == 0:
        console.say(f"{paint('passed', 'green')} in {result.seconds:.2f} s")
        return
    if result.timed_out:
        verdict = f"{paint('timed out', 'red')} after {result.timeout:g} s"
    elif result.exit_code == INTERRUPTED:
        verdict = paint("interrupted", "yellow")
    else:
        verdict = f"{paint('failed', 'red')} with exit code {result.exit_code}"
    console.say(f"{verdict}: {shlex.join(result.command)}")
    for name, lines in result.tails.items():
        if lines:
            console.say(f"the last lines of {paint(name, 'bold')}:")
        for line in lines:
            console.say(f"  {paint('|', 'dim')} {line}")
    if silent := [name for name, lines in result.tails.items() if not lines]:
        console.say(f"{several(silent)} printed nothing")
    console.say(f"run folder, with the logs, events and configuration of each node: {result.run}")


def reported(console: Console, result: Reported) -> None:
    console.line(f"report: {result.report}")
    console.line(f"beside it: {', '.join(name for name in result.files if name != 'report.html')}")


def logs(console: Console, result: Logs) -> None:
    if not result.running:
        console.note(f"cluster {result.cluster} is not running; this is its last run: {result.run}")
    for entry in result.lines:
        _entry(console, result.nodes, entry)
    if not result.lines:
        console.note("no such line" if result.filtered else "the nodes have printed nothing")


def followed(console: Console, view: LogView) -> int:
    for entry in view.follow():
        if console.json:
            console.record(entry.to_dict())
        else:
            _entry(console, view.nodes, entry)
    console.note(f"cluster {view.cluster} is not running any more")
    return 0


def _entry(console: Console, nodes: Sequence[str], entry: LogEntry) -> None:
    width = max((len(name) for name in nodes), default=0)
    index = nodes.index(entry.node) if entry.node in nodes else 0
    time = console.paint(entry.time[11:23], "dim")
    console.line(f"{time} {console.paint.node(entry.node.ljust(width), index)} {entry.text}")


def followed_events(console: Console, events: FollowedEvents) -> int:
    for one in events:
        if console.json:
            console.record(one.to_dict())
        else:
            event(console, one)
    return 0


def serving(console: Console, result: Serving) -> None:
    console.line(f"serving {result.project} at {result.url}")
    console.line(f"token: {result.token_file}")
    console.line(f"log: {result.log}")


def served(console: Console, server: ProjectServer) -> int:
    """Says where the server is, and goes on until it is ended."""

    def announce() -> None:
        if console.json:
            console.record(server.serving.to_dict())
        else:
            serving(console, server.serving)
            console.say("Ctrl-C ends it; clusters go on")

    server.run(announce)
    return 0


def cluster_events(console: Console, result: ClusterEvents) -> None:
    for one in result.events:
        event(console, one)


def event(console: Console, one: Event) -> None:
    text = one.sentence()
    if not text:
        facts = [f"{key}={value}" for key, value in one.to_dict().items() if key not in ENTRY]
        text = console.paint(" ".join([one.kind, *facts]), "dim")
    console.line(f"{console.paint(one.time[11:23], 'dim')} {text}")


def evaluated(console: Console, result: Evaluated) -> None:
    if result.output:
        console.line(result.output.removesuffix("\n"))
    if result.traceback:
        console.say(console.aside(result.traceback.rstrip("\n"), "red"))
    elif result.value is not None:
        console.line(result.value)
