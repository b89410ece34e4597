"""Erlang terms as Python values: the natural one if Python has it, otherwise a type of its own.

    integer, float          int, float              a float is never nan or infinite
    binary                  bytes                   a str is sent as a binary of its UTF-8
    list, "charlist"        list                    text as a charlist: `[*map(ord, text)]`;
                                                    read: `text(value)`
    tuple                   tuple
    map                     dict; `Map` if a key is a list or a map, or if keys are equal only in
                            Python (1 and 1.0)
    true, false, nil        True, False, None       `undefined`, and any other atom, is an `Atom`
    atom                    `Atom`                  a str never becomes an atom
    pid, reference, port    `Pid`, `Ref`, `Port`
    fun M:F/A, other fun    `Export`, `Fun`         opaque: can be sent back, not called here
    [a | b]                 `Improper`
    bitstring               `Bits`

Each of them is immutable, hashable if its parts are, and its repr is the Erlang notation."""

from __future__ import annotations

import re
import struct
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any, Final

from clusterlib.drivers.beam.errors import TermError
from clusterlib.frozen import frozen

__all__ = [
    "LONGEST_ATOM",
    "Atom",
    "Bits",
    "Export",
    "Fun",
    "Improper",
    "Map",
    "Pid",
    "Port",
    "Ref",
    "show",
    "text",
]

LONGEST_ATOM: Final = 255
SHOWN_DEPTH: Final = 50
BARE_ATOM: Final = re.compile(r"[a-zß-öø-ÿ][\w@]*")
RESERVED: Final = frozenset(
    {
        "after", "and", "andalso", "band", "begin", "bnot", "bor", "bsl", "bsr", "bxor", "case", "catch", "cond",
        "div", "else", "end", "fun", "if", "let", "maybe", "not", "of", "or", "orelse", "receive", "rem", "try", "when",
        "xor",
    }
)  # fmt: skip
ESCAPES: Final = {
    "\n": "\\n",
    "\t": "\\t",
    "\r": "\\r",
    "\\": "\\\\",
    "\0": "\\0",
    "\x1b": "\\e",
    "\b": "\\b",
}


class Atom:
    """An atom: `Atom("ok")`. Never equal to a str."""

    __slots__ = ("_hash", "name")
    __match_args__ = ("name",)

    name: str

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise TermError(f"an atom's name is text, not {type(name).__name__}")
        if len(name) > LONGEST_ATOM:
            raise TermError(f"an atom has at most {LONGEST_ATOM} characters, this one has {len(name)}")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "_hash", hash((Atom, name)))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("an atom cannot be changed")

    def __eq__(self, other: object) -> bool:
        return other is self or (isinstance(other, Atom) and other.name == self.name)

    def __hash__(self) -> int:
        value: int = self._hash  # type: ignore[attr-defined]  # set once, past our own __setattr__
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        return Atom, (self.name,)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        if BARE_ATOM.fullmatch(self.name) and self.name not in RESERVED:
            return self.name
        return f"'{_escaped(self.name, quote=chr(39))}'"


@frozen
class Pid:
    """A process of a node."""

    node: Atom
    id: int
    serial: int
    creation: int

    def __repr__(self) -> str:
        return f"<{self.node}.{self.id}.{self.serial}>"


@frozen
class Ref:
    """A reference made by a node."""

    node: Atom
    ids: tuple[int, ...]
    creation: int

    def __repr__(self) -> str:
        return f"#Ref<{self.node}.{'.'.join(map(str, reversed(self.ids)))}>"


@frozen
class Port:
    """A port of a node: its connection to a program, a socket or a driver."""

    node: Atom
    id: int
    creation: int

    def __repr__(self) -> str:
        return f"#Port<{self.node}.{self.id}>"


@frozen
class Export:
    """`fun module:function/arity`."""

    module: Atom
    function: Atom
    arity: int

    def __repr__(self) -> str:
        return f"fun {self.module!r}:{self.function!r}/{self.arity}"


@frozen
class Fun:
    """A fun with its environment, as the node sent it."""

    module: Atom
    index: int
    arity: int
    raw: bytes

    def __repr__(self) -> str:
        return f"#Fun<{self.module}.{self.index}/{self.arity}>"


@frozen
class Bits:
    """A bitstring that is not a whole number of bytes: `bits` (1 to 7) of the last byte count, from
    its high end."""

    data: bytes
    bits: int

    def __post_init__(self) -> None:
        if not self.data or not 1 <= self.bits <= 7:
            raise TermError("a bitstring has at least one byte, and 1 to 7 bits of the last one count")
        spare = 8 - self.bits
        object.__setattr__(self, "data", self.data[:-1] + bytes([self.data[-1] >> spare << spare]))

    def __repr__(self) -> str:
        *whole, last = self.data
        return f"<<{','.join([*map(str, whole), f'{last >> 8 - self.bits}:{self.bits}'])}>>"


@frozen
class Improper:
    """A list whose tail is not a list: `[a, b | c]`."""

    items: tuple[Any, ...]
    tail: Any

    def __post_init__(self) -> None:
        if not self.items or isinstance(self.tail, list | Improper):
            raise TermError("an improper list has at least one item, and a tail that is no list")

    def __repr__(self) -> str:
        return show(self)


class Map(Mapping[Any, Any]):
    """A map that a dict cannot hold.

    Keys are compared as in Erlang (`=:=`): 1 is not 1.0, nor True."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        self._pairs: dict[Hashable, tuple[Any, Any]] = {}
        for key, value in pairs:
            exact = _exact(key)
            if exact in self._pairs:
                raise TermError(f"a map has the key {_excerpt(key)} twice")
            self._pairs[exact] = (key, value)

    def __getitem__(self, key: Any) -> Any:
        return self._pairs[_exact(key)][1]

    def __iter__(self) -> Iterator[Any]:
        return (key for key, _ in self._pairs.values())

    def __len__(self) -> int:
        return len(self._pairs)

    def pairs(self) -> list[tuple[Any, Any]]:
        return list(self._pairs.values())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, dict):
            other = Map(other.items())
        if not isinstance(other, Map) or self._pairs.keys() != other._pairs.keys():
            return False
        return all(value == other._pairs[exact][1] for exact, (_, value) in self._pairs.items())

    def __hash__(self) -> int:
        return hash(frozenset(self._pairs))

    def __repr__(self) -> str:
        return show(self)


def text(term: object) -> str:
    """The text of a binary, a charlist, an iolist of these, or an atom."""
    match term:
        case str():
            return term
        case bytes():
            return term.decode("utf-8", "replace")
        case Atom():
            return term.name
        case None:
            return "nil"
        case True | False:
            return "true" if term else "false"
        case list():
            return "".join(chr(item) if _is_character(item) else text(item) for item in term)
    raise TermError(f"{_excerpt(term)} is no text")


def show(term: object, depth: int = SHOWN_DEPTH) -> str:  # noqa: PLR0911  (one line a kind)
    """The term as Erlang would write it."""
    if depth == 0:
        return "..."
    match term:
        case None:
            return "nil"
        case True | False:
            return "true" if term else "false"
        case str():
            return _shown_binary(term.encode("utf-8", "surrogatepass"))
        case bytes() | bytearray() | memoryview():
            return _shown_binary(bytes(term))
        case tuple():
            return "{" + _joined(term, depth) + "}"
        case list():
            if term and all(_is_printable(item) for item in term):
                return '"' + _escaped("".join(map(chr, term)), quote='"') + '"'
            return "[" + _joined(term, depth) + "]"
        case Improper():
            return "[" + _joined(term.items, depth) + "|" + show(term.tail, depth - 1) + "]"
        case Mapping():
            pairs = (f"{show(key, depth - 1)} => {show(value, depth - 1)}" for key, value in term.items())
            return "#{" + ",".join(pairs) + "}"
        case int():
            return _shown_integer(term)
    return repr(term)


def _joined(items: Iterable[object], depth: int) -> str:
    return ",".join(show(item, depth - 1) for item in items)


def _shown_integer(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # Python refuses decimals of thousands of digits
        return f"{'-' if value < 0 else ''}16#{abs(value):X}"


def _shown_binary(data: bytes) -> str:
    try:
        decoded = data.decode()
    except UnicodeDecodeError:
        decoded = ""
    if data and not (decoded and all(_is_printable(ord(character)) for character in decoded)):
        return f"<<{','.join(map(str, data))}>>"
    quoted = f'"{_escaped(decoded, quote=chr(34))}"'
    return f"<<{quoted}>>" if decoded.isascii() else f"<<{quoted}/utf8>>"


def _escaped(value: str, quote: str) -> str:
    escaped = "".join(ESCAPES.get(character, character) for character in value)
    return escaped.replace(quote, f"\\{quote}")


def _is_character(item: object) -> bool:
    return type(item) is int and 0 <= item < 0x110000 and not 0xD800 <= item < 0xE000


def _is_printable(item: object) -> bool:
    return _is_character(item) and (chr(item).isprintable() or chr(item) in "\n\t\r\b\x1b")  # type: ignore[arg-type]


def _excerpt(term: object) -> str:
    shown = show(term)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def _exact(term: object) -> Hashable:  # noqa: PLR0911  (one line a kind)
    """A hashable value that is equal for terms that are exactly equal in Erlang, and for no
    others."""
    match term:
        case str():
            return term.encode()
        case bytearray() | memoryview():
            return bytes(term)
        case float():
            return float, struct.pack(">d", term)
        case bool():
            return Atom("true" if term else "false")
        case None:
            return Atom("nil")
        case tuple():
            return (tuple, *map(_exact, term))
        case list():
            return (list, *map(_exact, term))
        case Improper():
            return (Improper, *map(_exact, term.items), _exact(term.tail))
        case Mapping():
            return Map, frozenset((_exact(key), _exact(value)) for key, value in term.items())
        case Hashable():
            return term
    raise TermError(f"{type(term).__name__} is no Erlang term")
