"""Fills in a text that contains only names, without jinja2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["Unusual", "filled_in", "first_file", "parts_of", "parts_of_file"]


class Unusual(Exception):
    """The text contains more than names, or a name that needs an explanation."""


Mark = tuple[tuple[str, ...], bool]
"""A name, and whether its value is written as JSON."""
Parts = tuple[str | Mark, ...]

LONGEST = 16 * 1024
"""A longer text is left to jinja2, because the regular expressions here would be too slow."""
MARK = re.compile(r"(?<!\{)\{\{ *([a-z]\w*(?:\.[a-z]\w*)*) *(\| *tojson *)?\}\}")
COMMENT = re.compile(r"(?<!\s)\s*\{#-.*?-#\}\s*", re.DOTALL)
UNUSUAL = re.compile(r"\{[{%#]|\r")


def parts_of_file(template: str, folders: tuple[str, ...]) -> Parts:
    path = first_file(template, folders)
    if path is None or template.startswith("/") or ".." in template.split("/"):
        raise Unusual
    try:
        with Path(path).open("rb") as file:
            return parts_of(file.read(LONGEST + 1).decode())
    except (OSError, UnicodeDecodeError) as error:
        raise Unusual from error


@cache
def parts_of(text: str) -> Parts:
    """Plain text and marks, alternating. Empty if the text contains anything else."""
    if len(text) > LONGEST:
        return ()
    parts: list[str | Mark] = []
    text = COMMENT.sub("", text)
    end = 0
    for mark in MARK.finditer(text):
        parts += [text[end : mark.start()], (tuple(mark[1].split(".")), mark[2] is not None)]
        end = mark.end()
    parts.append(text[end:])
    plain = not any(UNUSUAL.search(part) for part in parts if isinstance(part, str))
    return tuple(parts) if plain else ()


def filled_in(parts: Parts, values: Mapping[str, Any]) -> str:
    if not parts:
        raise Unusual
    return "".join([part if isinstance(part, str) else _shown(part, values) for part in parts])


def _shown(mark: Mark, values: Mapping[str, Any]) -> str:
    names, as_json = mark
    value: Any = values
    for name in names:
        if not isinstance(value, Mapping) or name not in value or hasattr(value, name):
            raise Unusual
        value = value[name]
    if as_json:
        return _json(value)
    if type(value) in {str, int, float}:
        return str(value)
    raise Unusual


def _json(value: object) -> str:
    """The same as jinja2's filter: without the characters that have a meaning in HTML."""
    import json

    try:
        text = json.dumps(value, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise Unusual from error
    return re.sub("[<>&']", lambda found: f"\\u{ord(found[0]):04x}", text)


def first_file(template: str, folders: tuple[str, ...]) -> str | None:
    paths = (Path(folder) / template for folder in folders)
    return next((str(path) for path in paths if path.is_file()), None)
