"""Shows profiles: the list, their values, their mistakes."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from clusterlib.values.sources import ValueSource

if TYPE_CHECKING:
    from clusterlib.doors.console import Cell, Console
    from clusterlib.operations.profiles import Checks, Profiles, ProfileSchema, Shown

__all__ = ["checks", "profile", "profile_schema", "profiles"]

LONGEST_LINE = 80


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
    file = result.file.replace(" (shipped)", ", shipped")
    line = f"profile {console.paint(result.name, 'bold')} ({file})"
    if result.extends:
        line += f", extends {', '.join(result.extends)}"
    console.line(line)
    rows: list[list[Cell]] = [
        [one.field, _folded(one.text), _origin(one.origin, one.source)] for one in result.values
    ]
    console.table(["value", "", "from"], rows)
    if not result.resolved:
        console.line(console.paint("other settings have their defaults; to see all: --resolved", "dim"))


def checks(console: Console, result: Checks) -> None:
    for one in result.profiles:
        if not one.lines:
            console.line(f"{console.paint('ok', 'green')}      {one.name}")
            continue
        console.line(f"{console.paint('FAILED', 'red')}  {one.name}")
        for text in one.lines:
            console.line(f"        {text}")


def _folded(text: str) -> str:
    """In lines with the origins close to the names, even without a terminal that folds them."""
    return "\n".join(textwrap.wrap(text, LONGEST_LINE, break_on_hyphens=False)) or text


def _origin(text: str, source: ValueSource) -> Cell:
    if source == ValueSource.ADAPTED:
        return text, "yellow"
    return (text, "dim") if source == ValueSource.DEFAULT else text


def profile_schema(console: Console, result: ProfileSchema) -> int:
    """Always as JSON: an editor reads it."""
    console.json = True
    console.answer(result.to_dict(), lambda: None)
    return 0
