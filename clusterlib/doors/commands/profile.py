"""Commands for profiles: list, show, check, and the schema for editors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlib.doors.commands.declaring import declare
from clusterlib.doors.commands.options import PROFILE_NAME, RESOLVED
from clusterlib.doors.exits import BAD_INPUT

if TYPE_CHECKING:
    from clusterlib.doors.console import Console

__all__ = ["check", "list_", "schema", "show"]

command = declare("profile")


@command(name="list")
def list_(console: Console) -> None:
    """List the profiles of this project and the shipped ones."""
    from clusterlib.doors import render
    from clusterlib.operations.profiles import list_all

    found = list_all()
    console.answer(found.to_dict(), lambda: render.profiles(console, found))


@command(PROFILE_NAME, RESOLVED)
def show(console: Console, *, name: str | None, resolved: bool) -> None:
    """Show what a profile says, or with --resolved what holds here; each value with its origin."""
    from clusterlib.doors import render
    from clusterlib.operations.profiles import show as look

    found = look(name, resolved=resolved)
    console.answer(found.to_dict(), lambda: render.profile(console, found))


@command(PROFILE_NAME)
def check(console: Console, *, name: str | None) -> int | None:
    """Report every mistake of a profile, or of all."""
    from clusterlib.doors import render
    from clusterlib.operations.profiles import check as examine

    found = examine(name)
    console.answer(found.to_dict(), lambda: render.checks(console, found))
    return None if found.ok else BAD_INPUT


@command(json=False)
def schema(console: Console) -> None:
    """Print the JSON schema of a profile, for editors."""
    from clusterlib.operations.profiles import json_schema

    console.json = True
    console.answer(json_schema(), lambda: None)
