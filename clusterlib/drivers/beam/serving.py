"""From a node that is connected to the others to one that serves: global names, the project's
configuration, its applications."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from clusterlib.drivers.beam.aio import AsyncConnection
from clusterlib.drivers.beam.errors import ErlangError
from clusterlib.drivers.beam.session import HELPER
from clusterlib.drivers.beam.terms import Atom, show
from clusterlib.errors import ApplicationFailed, StartError
from clusterlib.hosts.scarcity import tells_of_scarcity
from clusterlib.remedies import do

if TYPE_CHECKING:
    from clusterlib.drivers.beam.settings import BeamSettings

__all__ = ["start_serving"]

START_SECONDS: Final = 600.0
"""For each step; the profile's own limit for a start is shorter."""


async def start_serving(
    connection: AsyncConnection, settings: BeamSettings, name: str, wait_for: Callable[[str], None]
) -> None:
    """Returns when the node serves. `wait_for` gets the reason for the wait at each step."""
    wait_for("it does not know yet which names the others have registered globally")
    # Otherwise two nodes may register the same name, and one of the two processes is killed when
    # they notice.
    await connection.call(Atom("global"), Atom("sync"), timeout=START_SECONDS)
    if settings.applications:
        wait_for("its applications have not started yet")
        await _configure(connection, settings, name)
        await _start_applications(connection, settings, name)


async def _configure(connection: AsyncConnection, settings: BeamSettings, name: str) -> None:
    files = [file for file in settings.config if Path(file).is_file()]
    if not files:
        return
    try:
        await connection.call(HELPER, Atom("configure"), [files], timeout=START_SECONDS)
    except ErlangError as error:
        raise ApplicationFailed(
            "the project's configuration cannot be read",
            cause=error.problem,
            evidence=[*files, *error.evidence],
            remedies=[do("cluster.logs", name)],
        ) from error


async def _start_applications(connection: AsyncConnection, settings: BeamSettings, name: str) -> None:
    names = [*settings.applications]
    answer = await connection.call(HELPER, Atom("start"), [names], timeout=START_SECONDS)
    if answer[0] == Atom("error"):
        raise _not_started(answer[1].decode(), show(answer[2])[:500], name)


def _not_started(application: str, reason: str, name: str) -> StartError:
    kind = StartError if tells_of_scarcity([reason]) else ApplicationFailed
    look = do("cluster.logs", name)
    return kind(f"the application {application} did not start", cause=reason, remedies=[look])
