"""How values and words are shown in a message: values as in TOML, and the word that was probably
meant."""

from __future__ import annotations

import json
from collections.abc import Iterable

__all__ = ["did_you_mean", "in_toml", "nearest"]

LONGEST_SHOWN = 60


def in_toml(value: object, *, whole: bool = False) -> str:  # noqa: PLR0911 - one for each kind of value
    """A value as in TOML, shortened in a message; with `whole`, complete in a list of values."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            # Python refuses to format a very large number (0xfff... in TOML has no limit).
            return str(value) if value.bit_length() <= 64 else f"a number of {value.bit_length()} bits"
        case str():
            shown = json.dumps(value, ensure_ascii=not value.isprintable())
            return shown if whole or len(shown) <= LONGEST_SHOWN else f'{shown[: LONGEST_SHOWN - 4]}..."'
        case dict():
            return "a table"
        case list() | tuple():
            if len(value) > 3 and not whole:
                return "a list"
            return f"[{', '.join(in_toml(item, whole=whole) for item in value)}]"
        case None:
            return "nothing"
        case _:
            return str(value)[:LONGEST_SHOWN]


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known word that was probably meant."""
    from difflib import get_close_matches  # only needed after a mistake

    return next(iter(get_close_matches(word, list(known), 1, cutoff)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The name that was probably meant, or all that there are."""
    known = list(known)
    near = nearest(word, known)
    return f'did you mean "{near}"?' if near else f"known here: {', '.join(known) or 'none'}"
