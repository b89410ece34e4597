"""A session at the live prompt, as a document shows it, is typed again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tests.terminal import Terminal

__all__ = ["replay"]

PROMPT = re.compile(r"(\S+ \[.*?\]> |.*\? \[y/N\] )(.*)")


def replay(
    lines: Sequence[str], folder: Path, environment: dict[str, str]
) -> list[tuple[str, list[str], str]]:
    """Types the lines that stand behind a prompt. The prompts themselves must be shown.

    Returns for each line: the line, what the document shows after it, and what was printed."""
    typed: list[tuple[str, str, list[str]]] = []
    for line in lines:
        if found := PROMPT.fullmatch(line):
            typed.append((found[1], found[2], []))
        else:
            typed[-1][2].append(line)
    answers = []
    with Terminal("live", folder=folder, term="dumb", environment=environment) as terminal:
        terminal.shows(typed[0][0])
        for number, (_, keys, shown) in enumerate(typed):
            terminal.type(f"{keys}\n")
            following = typed[number + 1][0] if number + 1 < len(typed) else ""
            printed = terminal.shows(following) if following else terminal.rest()
            answers.append((keys, shown, printed))
    return answers
