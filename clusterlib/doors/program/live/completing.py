"""Completion at the live prompt: of operations, of their options, and of names that exist now."""

from __future__ import annotations

from clusterlib.doors.commands.command import commands, look_again
from clusterlib.doors.program.completion import candidates, clusters, nodes
from clusterlib.doors.program.live.line import begun_words
from clusterlib.doors.program.live.session import LIVE
from clusterlib.doors.program.live.wording import OWN_WORDS
from clusterlib.doors.program.wording import words_of

__all__ = ["completions"]


def completions(line: str) -> list[str]:
    """What the last word of the line can become; with a space behind it, if it is the only one."""
    words = begun_words(line)
    if words is None:
        return []
    look_again()
    found = [one for one in _known(words) if one.startswith(words[-1])]
    return [f"{found[0]} "] if len(found) == 1 and not found[0].endswith("=") else found


def _known(words: list[str]) -> list[str]:
    first, *others = words
    if others and first == "use":
        return sorted(clusters()) if len(words) == 2 else []
    if others and first == "node":
        return sorted(nodes(None)) if len(words) == 2 else []
    if others and first in {"exit", "quit"}:
        return []
    if others and first == "help":
        named = candidates(others, besides=OWN_WORDS)
        return named if len(others) == 1 or not others[-1].startswith("-") else []
    hidden = {words_of(one)[0] for one in commands() if one.full_name == LIVE}
    return [one for one in candidates(words, besides=OWN_WORDS) if others or one not in hidden]
