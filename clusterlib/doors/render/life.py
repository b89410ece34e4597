"""Shows the life of a cluster: started, stopped, changed, and its present state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlib.doors.render.pieces import adapted, addresses, colour, counted, duration, several, title

if TYPE_CHECKING:
    from clusterlib.doors.console import Cell, Console
    from clusterlib.operations.clean import Cleaned
    from clusterlib.operations.disturb import Disturbed
    from clusterlib.operations.down import Stopped
    from clusterlib.operations.dry_run import Foreseen
    from clusterlib.operations.restart import Restarted
    from clusterlib.operations.scale import Scaled
    from clusterlib.operations.status import Status
    from clusterlib.operations.sync import Synchronised
    from clusterlib.operations.up import Started
    from clusterlib.operations.views import ClusterView

__all__ = [
    "cleaned",
    "disturbed",
    "foreseen",
    "restarted",
    "scaled",
    "started",
    "status",
    "stopped",
    "synchronised",
]

LEAST_IMPORTANT = ("up", "pid", "sees", "http")
"""The columns of the status that a narrow terminal leaves out, in this order.

Names, states and addresses are always shown."""


def started(console: Console, result: Started) -> None:
    cluster = result.cluster
    if result.already_running:
        console.line(
            f"{title(console, cluster)} is running already: {counted(cluster)}, profile {cluster.profile}"
        )
        for note in result.notes[1:]:
            console.note(note)
    else:
        facts = f"{counted(cluster)} in {result.seconds:.2f} s, profile {cluster.profile}"
        console.line(f"{title(console, cluster)} is ready: {facts}")
    adapted(console, cluster)
    addresses(console, cluster.nodes)


def foreseen(console: Console, result: Foreseen) -> None:
    for one in result.would or ("nothing would be done",):
        console.line(one)


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
    how = " with no data" if result.fresh else ""
    console.line(f"{title(console, result.cluster)}: {what} restarted{how} in {result.seconds:.2f} s")
    addresses(console, [node for node in result.cluster.nodes if node.name in result.restarted])


def synchronised(console: Console, result: Synchronised) -> None:
    cluster = title(console, result.cluster)
    if result.restarted:
        console.note(result.why)
        how = "" if result.cluster.simulated else ", one after another"
        console.line(f"{cluster}: {several(result.restarted)} restarted in {result.seconds:.2f} s{how}")
        return
    names = sorted({name.removeprefix("Elixir.") for names in result.loaded.values() for name in names})
    if not names:
        later = "; what has changed is loaded when it is first used" if result.changed else ""
        what = (
            f"what is on disk: {several(result.looked_at)}"
            if result.looked_at
            else "the code that is on disk"
        )
        console.line(f"{cluster} runs {what}{later}")
        return
    nodes = len(result.loaded)
    what = f"{len(names)} module{'' if len(names) == 1 else 's'} loaded into {nodes} node{'' if nodes == 1 else 's'}"
    console.line(f"{cluster}: {what} in {result.seconds:.2f} s: {several(names)}")


def scaled(console: Console, result: Scaled) -> None:
    changes = []
    if result.added:
        changes.append(f"added {several(result.added)}")
    if result.removed:
        changes.append(f"removed {several(result.removed)}")
    what = " and ".join(changes) or "nothing to do"
    console.line(
        f"{title(console, result.cluster)} has {counted(result.cluster)}: {what} ({result.seconds:.2f} s)"
    )


def disturbed(console: Console, result: Disturbed) -> None:
    node = result.node
    console.line(
        f"{node.name} is {console.paint.state(node.state)}" + (f": {node.reason}" if node.reason else "")
    )


def cleaned(console: Console, result: Cleaned) -> None:
    for leftover in result.leftovers:
        ended = f": ended {several(leftover.processes)}" if leftover.processes else ""
        console.line(f"cleaned up cluster {leftover.cluster} of {leftover.project}{ended}")
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
    life = (
        f"until {console.wording.name('cluster.down')}" if not cluster.held else "until its last lease ends"
    )
    console.line(
        f"{title(console, cluster)} is {paint.state(cluster.state)}: {counted(cluster)}, profile {cluster.profile}, "
        f"up {duration(cluster.uptime)}, {life}"
    )
    adapted(console, cluster)
    if cluster.holders:
        console.line(f"  held by {several(cluster.holders)}")
    if cluster.turns:
        how = "alone" if cluster.turns[0].exclusive else "shared"
        wait = f"; {cluster.waiting} wait{'s' if cluster.waiting == 1 else ''}" if cluster.waiting else ""
        console.line(f"  used by {several([turn.holder for turn in cluster.turns])} ({how}){wait}")
    if cluster.dirty:
        console.line(f"  {paint('dirty', 'yellow')}: {'; '.join(cluster.dirty)}")
    roles = [node.role for node in cluster.nodes]
    members = {role: roles.count(role) for role in set(roles)}
    rows: list[list[Cell]] = []
    several_roles = len(cluster.roles) > 1
    for node in cluster.nodes:
        everyone = members[node.role]
        sees = f"{len(node.sees)}/{everyone}"
        rows.append(
            [
                node.name,
                *([node.role] if several_roles else []),
                (node.state, colour(node.state)),
                str(node.pid or "-"),
                node.endpoint,
                node.url or "-",
                sees if len(node.sees) == everyone else (sees, "yellow"),
                duration(node.uptime) if node.uptime is not None else "-",
                node.reason,
            ]
        )
    role = ["role"] if several_roles else []
    titles = ["node", *role, "state", "pid", _endpoint_title(cluster), "http", "sees", "up", "reason"]
    if not any(node.url for node in cluster.nodes):
        http = titles.index("http")
        titles, rows = (
            [*titles[:http], *titles[http + 1 :]],
            [[*row[:http], *row[http + 1 :]] for row in rows],
        )
    if not any(node.reason for node in cluster.nodes):
        titles, rows = titles[:-1], [row[:-1] for row in rows]
    left_out = console.table(titles, rows, foldable=["reason"], expendable=LEAST_IMPORTANT)
    if left_out:
        console.line(paint(f"left out: {', '.join(left_out)} (see --json, or a wider terminal)", "dim"))
    console.line(paint(f"run folder: {cluster.run}", "dim"))


def _endpoint_title(cluster: ClusterView) -> str:
    """What the first port of these nodes is for."""
    firsts = {next(iter(node.ports), "address") for node in cluster.nodes}
    return firsts.pop() if len(firsts) == 1 else "address"
