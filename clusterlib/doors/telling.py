"""Results as people read them. One function a result; nothing is decided here."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clusterlib.doors.exits import INTERRUPTED
from clusterlib.doors.progress import sentence
from clusterlib.health.findings import Finding, Outcome

if TYPE_CHECKING:
    from clusterlib.doors.console import Cell, Console
    from clusterlib.operations.clean import Cleaned
    from clusterlib.operations.disturb import Disturbed
    from clusterlib.operations.doctor import Diagnosis
    from clusterlib.operations.down import Stopped
    from clusterlib.operations.events import Diary
    from clusterlib.operations.health import Health, Row
    from clusterlib.operations.logs import LogEntry, Logs, LogView
    from clusterlib.operations.profiles import Checks, Profiles, Shown
    from clusterlib.operations.restart import Restarted
    from clusterlib.operations.run import Ran
    from clusterlib.operations.scale import Scaled
    from clusterlib.operations.shell import Evaluated
    from clusterlib.operations.status import Status
    from clusterlib.operations.up import Started
    from clusterlib.operations.views import ClusterView, NodeView

MOST_NODES = 20
MARKS = {
    Outcome.OK: ("ok", "green"),
    Outcome.WARNING: ("warning", "yellow"),
    Outcome.FAILED: ("FAILED", "red"),
    Outcome.SKIPPED: ("-", "dim"),
}


# -- the life of a cluster


def started(console: Console, result: Started) -> None:
    cluster = result.cluster
    if result.already_running:
        console.line(
            f"{_title(console, cluster)} is running already: {_counted(cluster)}, profile {cluster.profile}"
        )
        for note in result.notes[1:]:
            console.note(note)
    else:
        told = f"{_counted(cluster)} in {result.seconds:.2f} s, profile {cluster.profile}"
        console.line(f"{_title(console, cluster)} is ready: {told}")
    _adapted(console, cluster)
    _addresses(console, cluster.nodes)


def stopped(console: Console, result: Stopped) -> None:
    for why in result.forced:
        console.note(f"the keeper had to be killed: {why}")
    if not result.stopped:
        asked = f"cluster {result.asked[0]}" if len(result.asked) == 1 else "no cluster of this project"
        console.line(f"{asked} {'was not' if len(result.asked) == 1 else 'was'} running")
        return
    console.line(f"stopped {', '.join(result.stopped)} in {result.seconds:.2f} s; nothing is left")


def restarted(console: Console, result: Restarted) -> None:
    what = result.restarted[0] if len(result.restarted) == 1 else f"{len(result.restarted)} nodes"
    console.line(f"{_title(console, result.cluster)}: {what} restarted in {result.seconds:.2f} s")
    _addresses(console, [node for node in result.cluster.nodes if node.name in result.restarted])


def scaled(console: Console, result: Scaled) -> None:
    changes = []
    if result.added:
        changes.append(f"added {_several(result.added)}")
    if result.removed:
        changes.append(f"removed {_several(result.removed)}")
    what = " and ".join(changes) or "nothing to do"
    console.line(
        f"{_title(console, result.cluster)} has {_counted(result.cluster)}: {what} ({result.seconds:.2f} s)"
    )


def disturbed(console: Console, result: Disturbed) -> None:
    node = result.node
    console.line(
        f"{node.name} is {console.paint.state(node.state)}" + (f": {node.reason}" if node.reason else "")
    )


def cleaned(console: Console, result: Cleaned) -> None:
    for leftover in result.leftovers:
        ended = f": ended {_several(leftover.processes)}" if leftover.processes else ""
        console.line(f"buried cluster {leftover.cluster} of {leftover.project}{ended}")
    for name in result.running:
        console.note(f"cluster {name} is running; its current run was left alone")
    count = len(result.folders)
    console.line(f"removed {count} run folder{'' if count == 1 else 's'}" if count else "nothing to remove")


def status(console: Console, result: Status) -> None:
    for number, cluster in enumerate(result.clusters):
        if number:
            console.line()
        _cluster(console, cluster)


def _cluster(console: Console, cluster: ClusterView) -> None:
    paint = console.paint
    life = "until cluster.down" if not cluster.held else "as long as it is held"
    console.line(
        f"{_title(console, cluster)} is {paint.state(cluster.state)}: {_counted(cluster)}, profile {cluster.profile}, "
        f"up {_duration(cluster.uptime)}, {life}"
    )
    _adapted(console, cluster)
    if cluster.holders:
        console.line(f"  held by {_several(cluster.holders)}")
    everyone = len(cluster.nodes)
    rows: list[list[Cell]] = []
    for node in cluster.nodes:
        sees = f"{len(node.sees)}/{everyone}"
        rows.append(
            [
                node.name,
                (node.state, _colour(node.state)),
                str(node.pid or "-"),
                f"{node.address}:{node.ports['cluster']}" if "cluster" in node.ports else node.address,
                node.url or "-",
                sees if len(node.sees) == everyone else (sees, "yellow"),
                _duration(node.uptime) if node.uptime is not None else "-",
                node.reason,
            ]
        )
    titles = ["node", "state", "pid", "cluster", "http", "sees", "up", "reason"]
    if not any(node.reason for node in cluster.nodes):
        titles, rows = titles[:-1], [row[:-1] for row in rows]
    console.table(titles, rows)
    console.line(paint(f"run folder: {cluster.run}", "dim"))


# -- using it


def ready(
    console: Console, cluster: ClusterView, borrowed: bool, words: Sequence[str], *, verbose: bool
) -> None:
    console.close()
    paint = console.aside
    how = "borrowed, and left running" if borrowed else f"ready after {cluster.ready_seconds or 0:.2f} s"
    mark = f" {paint('[SIMULATED]', 'magenta')}" if cluster.simulated else ""
    console.say(
        f"cluster {paint(cluster.name, 'bold')}{mark} {how}: {_counted(cluster)}, profile {cluster.profile}"
    )
    if verbose:
        for node in cluster.nodes:
            console.say(f"  {node.name}  {node.address}:{node.ports.get('cluster', '-')}  {node.url or ''}")
        console.say(f"  run folder: {cluster.run}")
    console.say(paint(f"$ {shlex.join(words)}", "dim"))


def ran(console: Console, result: Ran, timeout: float | None) -> None:
    paint = console.aside
    if result.exit_code == 0:
        console.say(f"{paint('passed', 'green')} in {result.seconds:.2f} s")
        return
    if result.timed_out:
        verdict = f"{paint('timed out', 'red')} after {timeout:g} s"
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
        console.say(f"{_several(silent)} said nothing")
    console.say(f"run folder, with the logs, events and configuration of each node: {result.run}")


def logs(console: Console, view: LogView, result: Logs) -> None:
    if not result.running:
        console.note(f"cluster {result.cluster} is not running; this is its last run: {result.run}")
    for entry in result.lines:
        _entry(console, view, entry)
    if not result.lines:
        console.note("no such line" if view.filtered else "the nodes have said nothing")


def followed(console: Console, view: LogView) -> None:
    for entry in view.follow():
        if console.json:
            console.record(entry.to_dict())
        else:
            _entry(console, view, entry)
    console.note(f"cluster {view.cluster} is not running any more")


def _entry(console: Console, view: LogView, entry: LogEntry) -> None:
    width = max((len(name) for name in view.nodes), default=0)
    index = view.nodes.index(entry.node) if entry.node in view.nodes else 0
    time = console.paint(entry.time[11:23], "dim")
    console.line(f"{time} {console.paint.node(entry.node.ljust(width), index)} {entry.text}")


def diary(console: Console, result: Diary) -> None:
    for one in result.events:
        event(console, one)


def event(console: Console, one: dict[str, Any]) -> None:
    text = sentence(one)
    if not text:
        facts = {key: value for key, value in one.items() if key not in {"number", "time", "kind"}}
        text = console.paint(
            " ".join([one["kind"], *(f"{key}={value}" for key, value in facts.items())]), "dim"
        )
    console.line(f"{console.paint(one['time'][11:23], 'dim')} {text}")


def evaluated(console: Console, result: Evaluated) -> None:
    if result.output:
        console.line(result.output.removesuffix("\n"))
    if result.traceback:
        console.say(console.aside(result.traceback.rstrip("\n"), "red"))
    elif result.value is not None:
        console.line(result.value)


# -- examining


def health(console: Console, result: Health) -> None:
    paint = console.paint
    mark = f" {paint('[SIMULATED]', 'magenta')}" if result.simulated else ""
    verdict = paint("healthy", "green") if result.healthy else paint("NOT healthy", "red")
    console.line(
        f"cluster {paint(result.cluster, 'bold')}{mark} is {verdict} ({result.state}), "
        f"{len(result.nodes)} nodes asked in {result.seconds:.2f} s"
    )
    _matrix(console, result)
    alike: dict[Finding, list[str]] = {}
    for node in result.nodes:
        for finding in node.checks:
            if finding.outcome in {Outcome.FAILED, Outcome.WARNING}:
                alike.setdefault(finding, []).append(node.node)
    for finding, names in alike.items():
        _finding(console, f"{_several(names)}: {finding.name}", finding)


def _matrix(console: Console, result: Health) -> None:
    """Every check in a column of its own, or, where they do not fit, every group of checks."""
    titles = ["node", "state", *(name for _, name in result.columns)]
    rows = [
        [node.node, (node.state, _colour(node.state)), *(_verdict(finding) for finding in node.checks)]
        for node in result.nodes
    ]
    columns = zip(titles, *rows, strict=True)
    if sum(max(len(_text(cell)) for cell in column) + 2 for column in columns) > console.width:
        groups = list(dict.fromkeys(group for group, _ in result.columns))
        titles = ["node", "state", *groups]
        rows = [
            [
                node.node,
                (node.state, _colour(node.state)),
                *(_summary(node, result, group) for group in groups),
            ]
            for node in result.nodes
        ]
    console.table(titles, rows)


def _verdict(finding: Finding) -> Cell:
    word, colour = MARKS[finding.outcome]
    return (finding.evidence, colour) if finding.outcome is Outcome.OK else (word, colour)


def _summary(node: Row, result: Health, group: str) -> Cell:
    """The worst of a group; if all is well, what it measured."""
    checks = zip(result.columns, node.checks, strict=True)
    findings = [finding for (its_group, _), finding in checks if its_group == group]
    for outcome in (Outcome.FAILED, Outcome.WARNING, Outcome.SKIPPED):
        if any(finding.outcome is outcome for finding in findings):
            return MARKS[outcome]
    measured = [finding.evidence for finding in findings if any(c.isdigit() for c in finding.evidence)]
    return " ".join(measured) or "ok", MARKS[Outcome.OK][1]


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]


def diagnosis(console: Console, result: Diagnosis) -> None:
    width = max(len(finding.name) for finding in result.findings)
    for finding in result.findings:
        word, colour = MARKS[finding.outcome]
        beginning = f"{console.paint(word.ljust(7), colour)} {finding.name.ljust(width)}  "
        console.paragraph(beginning, finding.evidence, indent=width + 10)
        for remedy in finding.remedies:
            console.line(f"{' ' * 8}{console.paint('try:', 'green')} {remedy}")
    count = sum(finding.outcome is Outcome.FAILED for finding in result.findings)
    warned = sum(finding.outcome is Outcome.WARNING for finding in result.findings)
    if count:
        verdict = console.paint(f"{count} of {len(result.findings)} checks failed", "red")
    else:
        verdict = console.paint(f"a cluster of profile {result.profile} can start here", "green")
    console.line(verdict + (f", {warned} warning{'' if warned == 1 else 's'}" if warned else ""))


def _finding(console: Console, title: str, finding: Finding) -> None:
    _, colour = MARKS[finding.outcome]
    console.paragraph(f"{console.paint(title, colour)}: ", finding.evidence, indent=len(title) + 2)
    for remedy in finding.remedies:
        console.line(f"  {console.paint('try:', 'green')} {remedy}")


# -- profiles


def profiles(console: Console, result: Profiles) -> None:
    rows: list[list[Cell]] = [
        [
            (one.name, "bold") if one.default else one.name,
            "default" if one.default else "",
            (one.problem, "red") if one.problem else one.description,
            one.file,
        ]
        for one in result.profiles
    ]
    console.table(["profile", "", "description", "file"], rows)


def profile(console: Console, result: Shown) -> None:
    line = f"profile {console.paint(result.name, 'bold')} ({result.file})"
    if result.extends:
        line += f", extends {', '.join(result.extends)}"
    console.line(line)
    rows: list[list[Cell]] = [[one.field, one.text, _origin(one.origin, one.source)] for one in result.values]
    console.table(["value", "", "from"], rows)
    if not result.resolved:
        console.line(
            console.paint("what it says nothing about has its default; all of it: --resolved", "dim")
        )


def checks(console: Console, result: Checks) -> None:
    for one in result.profiles:
        if not one.told:
            console.line(f"{console.paint('ok', 'green')}      {one.name}")
            continue
        console.line(f"{console.paint('FAILED', 'red')}  {one.name}")
        for text in one.told:
            console.line(f"        {text}")


# -- pieces


def _title(console: Console, cluster: ClusterView) -> str:
    mark = f" {console.paint('[SIMULATED]', 'magenta')}" if cluster.simulated else ""
    return f"cluster {console.paint(cluster.name, 'bold')}{mark}"


def _counted(cluster: ClusterView) -> str:
    count = len(cluster.nodes)
    return f"{count} node{'' if count == 1 else 's'}"


def _adapted(console: Console, cluster: ClusterView) -> None:
    for text in cluster.adaptations:
        console.note(f"adapted {text}")


def _addresses(console: Console, nodes: Sequence[NodeView]) -> None:
    shown = nodes[:MOST_NODES]
    width = max((len(node.name) for node in shown), default=0)
    for index, node in enumerate(shown):
        where = f"{node.address}:{node.ports['cluster']}" if "cluster" in node.ports else node.address
        console.line(
            f"  {console.paint.node(node.name.ljust(width), index)}  {where}  {node.url or ''}".rstrip()
        )
    if len(nodes) > len(shown):
        console.line(f"  and {len(nodes) - len(shown)} more: invoke cluster.status")


def _several(items: Sequence[str], most: int = 5) -> str:
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")


def _origin(text: str, source: str) -> Cell:
    if source == "adapted":
        return text, "yellow"
    return (text, "dim") if source == "default" else text


def _colour(state: str) -> str:
    from clusterlib.doors.console import STATES

    return STATES.get(state, "")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
