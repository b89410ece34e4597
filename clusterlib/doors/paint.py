"""The colours of the terminal, and whether it has any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

__all__ = ["NODE_COLOURS", "STATES", "Paint", "wants_colour"]

CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}
NODE_COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red")
STATES = {
    "ready": "green",
    "ok": "green",
    "starting": "cyan",
    "waiting": "yellow",
    "paused": "yellow",
    "degraded": "yellow",
    "warning": "yellow",
    "stopping": "dim",
    "stopped": "dim",
    "skipped": "dim",
    "dead": "red",
    "failed": "red",
}


def wants_colour(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Follows https://no-color.org and its counterpart; NO_COLOR has precedence.

    Otherwise colours are for terminals."""
    if environment.get("NO_COLOR"):
        return False
    forced = environment.get("FORCE_COLOR")
    if forced:
        return forced != "0"
    return stream.isatty() and environment.get("TERM") not in {"dumb", ""}


class Paint:
    """Colours a text, or returns it unchanged."""

    def __init__(self, colours: bool) -> None:
        self.colours = colours

    def __call__(self, text: str, colour: str) -> str:
        return f"\x1b[{CODES[colour]}m{text}\x1b[0m" if self.colours and colour in CODES else text

    def state(self, state: str) -> str:
        return self(state, STATES.get(state, ""))

    def node(self, name: str, index: int) -> str:
        return self(name, NODE_COLOURS[index % len(NODE_COLOURS)])
