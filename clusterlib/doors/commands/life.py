"""Commands of a cluster's life: start, look, change, disturb, end, tidy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlib.doors.commands.declaring import declare
from clusterlib.doors.commands.options import (
    ALL,
    COUNT,
    FRESH,
    NAME,
    NODE,
    NODES,
    PROFILE,
    ROLLING,
    SIMULATE,
    SOME_NODE,
)

if TYPE_CHECKING:
    from clusterlib.doors.console import Console

__all__ = [
    "clean",
    "down",
    "kill",
    "pause",
    "restart",
    "resume",
    "scale",
    "start",
    "status",
    "stop",
    "sync",
    "up",
]

command = declare("cluster")


@command(PROFILE, NAME, NODES, SIMULATE)
def up(console: Console, *, profile: str | None, name: str | None, nodes: int | None, simulate: bool) -> None:
    """Start a cluster that stays until cluster.down; one that runs already is left as it is."""
    from clusterlib.operations.up import bring_up

    started = bring_up(
        profile, name=name, nodes=nodes, simulate=simulate or None, on_event=console.progress()
    )
    from clusterlib.doors import (
        render,
    )  # not before: until the keeper has been started, every import is waited for

    console.answer(started.to_dict(), lambda: render.started(console, started))


@command(NAME, ALL)
def down(console: Console, *, name: str | None, all: bool) -> None:  # noqa: A002 (the name of the option)
    """End a cluster; returns when its processes are really gone. None running is a success, too."""
    from clusterlib.doors import render
    from clusterlib.operations.down import bring_down

    stopped = bring_down(name, every=all)
    console.answer(stopped.to_dict(), lambda: render.stopped(console, stopped))


@command(NODE, NAME, ROLLING, FRESH)
def restart(console: Console, *, node: str | None, name: str | None, rolling: bool, fresh: bool) -> None:
    """Restart a node, or all of them; they run the project's code as it is now, and keep their data, but with --fresh."""
    from clusterlib.doors import render
    from clusterlib.operations.restart import restart as carry_out

    restarted = carry_out(node, name=name, rolling=rolling, fresh=fresh, on_event=console.progress())
    console.answer(restarted.to_dict(), lambda: render.restarted(console, restarted))


@command(NAME)
def sync(console: Console, *, name: str | None) -> None:
    """Have all nodes run the project's code as it is now: built, loaded where nodes can do that, else by a rolling restart."""
    from clusterlib.doors import render
    from clusterlib.operations.sync import synchronise

    synced = synchronise(name, on_event=console.progress())
    console.answer(synced.to_dict(), lambda: render.synchronised(console, synced))


@command(NAME)
def status(console: Console, *, name: str | None) -> None:
    """Show the clusters of this project that run, and their nodes."""
    from clusterlib.doors import render
    from clusterlib.operations.status import look

    found = look(name)
    console.answer(found.to_dict(), lambda: render.status(console, found))


@command(COUNT, NAME)
def scale(console: Console, *, count: int, name: str | None) -> None:
    """Add or remove nodes of a running cluster until it has COUNT; the others go on."""
    from clusterlib.doors import render
    from clusterlib.operations.scale import scale as carry_out

    scaled = carry_out(count, name=name, on_event=console.progress())
    console.answer(scaled.to_dict(), lambda: render.scaled(console, scaled))


@command(NAME, ALL)
def clean(console: Console, *, name: str | None, all: bool) -> None:  # noqa: A002
    """Remove the run folders of stopped clusters, and whatever a dead one left behind."""
    from clusterlib.doors import render
    from clusterlib.operations.clean import clean as carry_out

    cleaned = carry_out(name, every=all)
    console.answer(cleaned.to_dict(), lambda: render.cleaned(console, cleaned))


@command(SOME_NODE, NAME)
def stop(console: Console, *, node: str, name: str | None) -> None:
    """Stop a node in order; it stays down until cluster.start, and the others go on."""
    _disturb(console, "stop", node, name)


@command(SOME_NODE, NAME)
def start(console: Console, *, node: str, name: str | None) -> None:
    """Start a node that is down, and wait until it is back among the others."""
    _disturb(console, "start", node, name)


@command(SOME_NODE, NAME)
def kill(console: Console, *, node: str, name: str | None) -> None:
    """Kill a node with SIGKILL, as a crash would."""
    _disturb(console, "kill", node, name)


@command(SOME_NODE, NAME)
def pause(console: Console, *, node: str, name: str | None) -> None:
    """Suspend a node (SIGSTOP): it stays alive but stops responding."""
    _disturb(console, "pause", node, name)


@command(SOME_NODE, NAME)
def resume(console: Console, *, node: str, name: str | None) -> None:
    """Resume a paused node."""
    _disturb(console, "resume", node, name)


def _disturb(console: Console, what: str, node: str, name: str | None) -> None:
    from typing import cast

    from clusterlib.doors import render
    from clusterlib.operations.disturb import Disturbance, disturb

    disturbed = disturb(cast("Disturbance", what), node, name=name)
    console.answer(disturbed.to_dict(), lambda: render.disturbed(console, disturbed))
