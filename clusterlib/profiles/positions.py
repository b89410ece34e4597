"""Finds the line of each key in a TOML text: `tomllib` returns values without places, and a mistake
needs its place.

Works on text that `tomllib` has accepted, so it only has to find keys, not to check them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from contextlib import suppress

from clusterlib.frozen import frozen

__all__ = ["Path", "key_lines"]

Path = tuple[str | int, ...]

# Multi-line strings come first: their opening would match as an empty string.
_SHAPES = r"""
    (?P<text>\"{3}(?:\\.|[^\\])*?\"{3,5}|'{3}.*?'{3,5})
  | (?P<quoted>"(?:\\.|[^"\\\n])*"|'[^'\n]*')
  | (?P<newline>\n)
  | (?P<skip>[ \t]+|\#[^\n]*)
  | (?P<mark>[][{},=.])
  | (?P<bare>[^\s\#"'\[\]{},=.]+)
"""


@frozen
class _TomlToken:
    kind: str
    text: str
    line: int


_END = _TomlToken("end", "", 0)


def key_lines(text: str) -> dict[Path, int]:
    """The line of every key and table header, by its path; elements of arrays count from 0."""
    reader = _TomlReader(_tokens(text.replace("\r\n", "\n")))
    with suppress(RecursionError):  # nested deeper than anyone reads: the keys found so far are still correct
        reader.document()
    return reader.lines


def _tokens(text: str) -> Iterator[_TomlToken]:
    line = 1
    for found in re.finditer(_SHAPES, text, re.VERBOSE | re.DOTALL):
        kind = found.lastgroup or ""
        if kind != "skip":
            yield _TomlToken(kind, found[0], line)
        line += found[0].count("\n")


class _TomlReader:
    def __init__(self, tokens: Iterator[_TomlToken]) -> None:
        self.lines: dict[Path, int] = {}
        self._tokens = tokens
        self._arrays: dict[Path, int] = {}
        self._now = next(tokens, _END)

    def document(self) -> None:
        table: Path = ()
        while self._now.kind != "end":
            if self._now.kind == "newline":
                self._next()
            elif self._now.text == "[":
                table = self._header()
            else:
                self._pair(table)

    def _next(self) -> _TomlToken:
        token, self._now = self._now, next(self._tokens, _END)
        return token

    def _header(self) -> Path:
        line = self._next().line
        repeated = self._now.text == "["
        if repeated:
            self._next()
        path = self._inside_arrays(self._key("]"))
        self._next()
        if repeated:
            self._next()
            self.lines.setdefault(path, line)
            self._arrays[path] = index = self._arrays.get(path, -1) + 1
            path = (*path, index)
        self._say(path, line)
        return path

    def _inside_arrays(self, path: Path) -> Path:
        """[[a]] followed by [a.b] means the b of the last a."""
        full: Path = ()
        for part in path[:-1]:
            full = (*full, part)
            if full in self._arrays:
                full = (*full, self._arrays[full])
        return full + path[-1:]

    def _pair(self, table: Path) -> None:
        line = self._now.line
        path = table + self._key("=")
        self._next()
        self._say(path, line)
        self._value(path)

    def _key(self, end: str) -> Path:
        parts: list[str] = []
        while self._now.kind != "end" and self._now.text != end:
            token = self._next()
            if token.text != ".":
                parts.append(_spelled(token))
        return tuple(parts)

    def _value(self, path: Path) -> None:
        if self._now.text == "{":
            self._inline_table(path)
        elif self._now.text == "[":
            self._array(path)
        else:
            while self._now.kind not in ("end", "newline") and self._now.text not in (",", "]", "}"):
                self._next()

    def _inline_table(self, path: Path) -> None:
        self._next()
        while self._now.kind != "end" and self._now.text != "}":
            if self._now.text == "," or self._now.kind == "newline":
                self._next()
            else:
                self._pair(path)
        self._next()

    def _array(self, path: Path) -> None:
        self._next()
        index = 0
        while self._now.kind != "end" and self._now.text != "]":
            if self._now.kind == "newline":
                self._next()
            elif self._now.text == ",":
                index += 1
                self._next()
            else:
                self.lines[(*path, index)] = self._now.line
                self._value((*path, index))
        self._next()

    def _say(self, path: Path, line: int) -> None:
        for length in range(1, len(path)):
            self.lines.setdefault(path[:length], line)
        self.lines[path] = line


def _spelled(token: _TomlToken) -> str:
    if token.kind != "quoted":
        return token.text
    if token.text.startswith("'"):
        return token.text[1:-1]
    return next(iter(tomllib.loads(f"{token.text} = 0")))
