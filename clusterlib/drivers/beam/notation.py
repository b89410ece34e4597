"""Reads a term as Erlang writes it: `{add, "tea", [1, 2]}`.

Nothing is evaluated, and the text stays data: an atom is an `Atom` here, and the node that gets it
decides whether such an atom exists."""

from __future__ import annotations

import re
from typing import Any, Final

from clusterlib.drivers.beam.errors import TermError
from clusterlib.drivers.beam.terms import Atom, Improper, Map

__all__ = ["read_term"]

DEEPEST: Final = 100
TOKENS: Final = re.compile(
    r"""
    (?P<space>\s+|%[^\n]*)
  | (?P<float>[+-]?\d[\d_]*\.\d+(?:[eE][+-]?\d+)?)
  | (?P<based>[+-]?\d{1,2}\#[0-9A-Za-z]+)
  | (?P<integer>[+-]?\d[\d_]*)
  | (?P<character>\$(?:\\.|[^\\]))
  | (?P<atom>[a-zß-öø-ÿ][\w@]*)
  | (?P<quoted>'(?:[^'\\]|\\.)*')
  | (?P<string>"(?:[^"\\]|\\.)*")
  | (?P<mark>\#\{|=>|<<|>>|/utf8|[{}\[\],|.])
    """,
    re.VERBOSE | re.DOTALL,
)
ESCAPES: Final = {
    "n": "\n", "t": "\t", "r": "\r", "b": "\b", "e": "\x1b", "f": "\f", "v": "\v", "s": " ", "d": "\x7f", "0": "\0",
}  # fmt: skip
CONSTANTS: Final = {"true": True, "false": False, "nil": None}


def read_term(text: str) -> Any:
    """The term, or TermError with the place of the mistake. A full stop at its end is optional."""
    reader = _NotationReader(text)
    term = reader.term(0)
    reader.skip(".")
    reader.expect_end()
    return term


class _NotationReader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._next = 0

    def term(self, depth: int) -> Any:  # noqa: PLR0911  (one line a kind)
        if depth > DEEPEST:
            raise TermError(f"a term is nested more than {DEEPEST} deep")
        kind, value, _ = self._take()
        match kind, value:
            case "integer", _:
                return int(value)
            case "based", _:
                return self._based(value)
            case "float", _:
                return float(value)
            case "character", _:
                return ord(_plain(value[1:]))
            case "atom", _:
                return CONSTANTS[value] if value in CONSTANTS else Atom(value)
            case "quoted", _:
                return Atom(_plain(value[1:-1]))
            case "string", _:
                return [*map(ord, _plain(value[1:-1]))]
        return self._compound(value, depth)

    def _compound(self, mark: str, depth: int) -> Any:
        match mark:
            case "{":
                return tuple(self._items("}", depth))
            case "[":
                return self._list(depth)
            case "#{":
                return self._map(depth)
            case "<<":
                return self._binary()
        self._next -= 1
        raise self._mistake("a term is missing")

    def skip(self, mark: str) -> bool:
        if self._next < len(self._tokens) and self._tokens[self._next][:2] == ("mark", mark):
            self._next += 1
            return True
        return False

    def expect_end(self) -> None:
        if self._next < len(self._tokens):
            raise self._mistake("the term is complete, but more follows")

    def _items(self, end: str, depth: int) -> list[Any]:
        if self.skip(end):
            return []
        items = [self.term(depth + 1)]
        while self.skip(","):
            items.append(self.term(depth + 1))
        self._expect(end)
        return items

    def _list(self, depth: int) -> Any:
        if self.skip("]"):
            return []
        items = [self.term(depth + 1)]
        while self.skip(","):
            items.append(self.term(depth + 1))
        if not self.skip("|"):
            self._expect("]")
            return items
        tail = self.term(depth + 1)
        self._expect("]")
        if isinstance(tail, list):
            return items + tail
        if isinstance(tail, Improper):
            return Improper((*items, *tail.items), tail.tail)
        return Improper(tuple(items), tail)

    def _map(self, depth: int) -> Any:
        pairs: list[tuple[Any, Any]] = []
        if not self.skip("}"):
            pairs.append(self._pair(depth))
            while self.skip(","):
                pairs.append(self._pair(depth))
            self._expect("}")
        return Map(pairs)

    def _pair(self, depth: int) -> tuple[Any, Any]:
        key = self.term(depth + 1)
        self._expect("=>")
        return key, self.term(depth + 1)

    def _binary(self) -> bytes:
        """Of bytes and texts: `<<1, 2, "tea"/utf8>>`."""
        data = b""
        while not self.skip(">>"):
            if data:
                self._expect(",")
            kind, value, _ = self._take()
            if kind == "string":
                text = _plain(value[1:-1])
                data += text.encode() if self.skip("/utf8") or text.isascii() else _bytes(text)
            elif kind == "integer" and 0 <= int(value) <= 255:
                data += bytes((int(value),))
            else:
                self._next -= 1
                raise self._mistake("a binary is written with bytes and texts")
        return data

    def _based(self, value: str) -> int:
        sign = -1 if value.startswith("-") else 1
        base, digits = value.lstrip("+-").split("#")
        try:
            return sign * int(digits, int(base))
        except ValueError:
            self._next -= 1
            raise self._mistake(f"{value} is no number") from None

    def _take(self) -> tuple[str, str, int]:
        if self._next >= len(self._tokens):
            raise self._mistake("the term is not complete")
        self._next += 1
        return self._tokens[self._next - 1]

    def _expect(self, mark: str) -> None:
        if not self.skip(mark):
            raise self._mistake(f"`{mark}` is missing")

    def _split(self) -> list[tuple[str, str, int]]:
        tokens: list[tuple[str, str, int]] = []
        at = 0
        while at < len(self._text):
            found = TOKENS.match(self._text, at)
            if found is None:
                raise TermError(
                    f"{self._text[at : at + 20]!r} is no Erlang notation", cause=f"at character {at + 1}"
                )
            kind = found.lastgroup
            assert kind is not None
            if kind != "space":
                tokens.append((kind, found.group(), at))
            at = found.end()
        return tokens

    def _mistake(self, problem: str) -> TermError:
        at = self._tokens[self._next][2] if self._next < len(self._tokens) else len(self._text)
        return TermError(f"{self._text[:80]!r} is no Erlang term: {problem}", cause=f"at character {at + 1}")


def _plain(text: str) -> str:
    """Without escapes: `\\n`, `\\"`, `\\x{1F600}`."""
    return re.sub(r"\\(?:x\{([0-9A-Fa-f]{1,6})\}|x([0-9A-Fa-f]{2})|(.))", _unescaped, text, flags=re.DOTALL)


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    if code is None:
        return ESCAPES.get(found[3], found[3])
    number = int(code, 16)
    if number > 0x10FFFF:
        raise TermError(f"{found[0]} is no character")
    return chr(number)


def _bytes(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise TermError(f'<<"{text}">> needs /utf8 after the text') from error
