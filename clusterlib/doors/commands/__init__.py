"""The commands: what a shell can do with clusters, profiles and tests."""

from __future__ import annotations

from clusterlib.doors.commands import life, look, profile, test, use
from clusterlib.doors.commands.declaring import Command

__all__ = ["COMMANDS"]

COMMANDS: tuple[Command, ...] = tuple(
    one
    for module in (life, use, look, profile, test)
    for one in vars(module).values()
    if isinstance(one, Command)
)
