"""Commands that examine: a running cluster, or the machine before there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlib.doors.commands.declaring import declare
from clusterlib.doors.commands.options import NAME, PROFILE
from clusterlib.doors.exits import FAILED

if TYPE_CHECKING:
    from clusterlib.doors.console import Console

__all__ = ["doctor", "health"]

command = declare("cluster")


@command(NAME)
def health(console: Console, *, name: str | None) -> int | None:
    """Ask every node of a running cluster everything: connectivity, application, cluster, performance."""
    from clusterlib.doors import render
    from clusterlib.operations.health import examine_health

    found = examine_health(name)
    console.answer(found.to_dict(), lambda: render.health(console, found))
    return None if found.healthy else FAILED


@command(PROFILE)
def doctor(console: Console, *, profile: str | None) -> int | None:
    """Examine this machine and this project: can a cluster of that profile start here? Starts nothing."""
    from clusterlib.doors import render
    from clusterlib.operations.doctor import examine_machine

    found = examine_machine(profile)
    console.answer(found.to_dict(), lambda: render.diagnosis(console, found))
    return None if found.ok else FAILED
