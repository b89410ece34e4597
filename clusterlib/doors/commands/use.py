"""Commands that work with a cluster: run something against it, read what it says, talk to a node."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from clusterlib.doors.commands.declaring import declare
from clusterlib.doors.commands.options import (
    ARTIFACTS,
    EXPRESSION,
    FOLLOW,
    GREP,
    LINES,
    NAME,
    NODE,
    NODES,
    PROFILE,
    SIMULATE,
    SINCE,
    TIMEOUT,
    VERBOSE,
)
from clusterlib.doors.exits import FAILED

if TYPE_CHECKING:
    from clusterlib.doors.console import Console

__all__ = ["events", "logs", "run", "shell"]

command = declare("cluster")


@command(PROFILE, NAME, NODES, SIMULATE, TIMEOUT, VERBOSE, ARTIFACTS, takes_rest=True)
def run(
    console: Console,
    *,
    profile: str | None,
    name: str | None,
    nodes: int | None,
    simulate: bool,
    timeout: float | None,
    verbose: bool,
    artifacts: str | None,
) -> int:
    """Run a command (after `--`), or the profile's tests, with a cluster: a new one, or the one that runs."""
    from clusterlib.doors import render
    from clusterlib.operations.run import run as carry_out

    progress = console.progress()
    with console.stdout_for_answer_only():
        ran = carry_out(
            console.remainder,
            profile=profile,
            name=name,
            nodes=nodes,
            simulate=simulate or None,
            timeout=timeout,
            verbose=verbose,
            artifacts=artifacts,
            on_event=progress,
            on_ready=lambda cluster, borrowed, words: render.ready(
                console, cluster, borrowed, words, verbose=verbose
            ),
        )
    console.answer(ran.to_dict(), lambda: render.ran(console, ran, timeout))
    return ran.exit_code


@command(NODE, NAME, FOLLOW, SINCE, GREP, LINES)
def logs(
    console: Console,
    *,
    node: str | None,
    name: str | None,
    follow: bool,
    since: str | None,
    grep: str | None,
    lines: int | None,
) -> None:
    """Show what the nodes said, merged by time; of the last run if none is running."""
    from clusterlib.doors import render
    from clusterlib.operations.logs import LogView

    view = LogView(node, name=name, since=since, grep=grep, lines=lines)
    if follow:
        render.followed(console, view)
        return
    found = view.read()
    console.answer(found.to_dict(), lambda: render.logs(console, view, found))


@command(NAME, FOLLOW)
def events(console: Console, *, name: str | None, follow: bool) -> None:
    """Show what happened to the cluster: the keeper's diary; of the last run if none is running."""
    from clusterlib.doors import render
    from clusterlib.operations.events import diary, follow_diary

    if follow:
        for event in follow_diary(name=name):
            if console.json:
                console.record(event.to_dict())
            else:
                render.event(console, event)
        return
    found = diary(name=name)
    console.answer(found.to_dict(), lambda: render.diary(console, found))


@command(NODE, NAME, EXPRESSION)
def shell(console: Console, *, node: str | None, name: str | None, command: str | None) -> int | None:
    """Open a Python prompt in a node, or evaluate one expression there with -c; of a server program: its own shell."""
    from clusterlib.doors import render
    from clusterlib.doors.prompt import Prompt
    from clusterlib.operations.shell import NodeShell, run_own_shell

    code = run_own_shell(node, name=name, code=command, on_stale=console.note)
    if code is not None:
        return code
    with NodeShell(node, name=name) as session:
        if session.stale_sentence:
            console.note(session.stale_sentence)
        if command is not None:
            found = session.evaluate(command)
            console.answer(found.to_dict(), lambda: render.evaluated(console, found))
            return FAILED if found.traceback else None
        prompt = Prompt(console, session)
        return prompt.talk() if sys.stdin.isatty() else prompt.read(sys.stdin)
