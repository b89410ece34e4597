"""Bytes to terms, as Erlang's `binary_to_term` reads them.

For any bytes the result is a term or a TermError."""

from __future__ import annotations

import math
import struct
import zlib
from typing import Any, Final

from clusterlib.drivers.beam.errors import TermError
from clusterlib.drivers.beam.terms import LONGEST_ATOM, Atom, Bits, Export, Fun, Improper, Map, Pid, Port, Ref
from clusterlib.drivers.beam.writing import DEEPEST, VERSION

__all__ = ["LARGEST", "decode", "decode_at", "decode_from"]

LARGEST: Final = 2**29
"""The limit for a compressed term, in bytes."""
KNOWN_ATOMS: Final = 4096
"""How many decoded atoms are kept, so that common ones need not be created again."""
MOST_REFERENCE_WORDS: Final = 5

_SHORT, _WORD, _LONG, _FLOAT = (
    struct.Struct(">H"),
    struct.Struct(">I"),
    struct.Struct(">Q"),
    struct.Struct(">d"),
)
_NUMBER, _TWO_WORDS, _THREE_WORDS = struct.Struct(">i"), struct.Struct(">II"), struct.Struct(">III")
_FUN_HEADER = struct.Struct(">IB16sII")
_LEAVES: Final[dict[str, Any]] = {"true": True, "false": False, "nil": None}


def decode(data: bytes, *, deepest: int = DEEPEST, largest: int = LARGEST) -> Any:
    """The term that consists of these bytes, all of them."""
    term, end = decode_from(data, 0, deepest=deepest, largest=largest)
    if end != len(data):
        raise TermError(f"after the term there are {len(data) - end} more bytes")
    return term


def decode_from(
    data: bytes, start: int, *, deepest: int = DEEPEST, largest: int = LARGEST
) -> tuple[Any, int]:
    """The term that begins with its version byte at `start`, and where it ends."""
    if len(data) < start + 2:
        raise _ends_early()
    if data[start] != VERSION:
        raise TermError(f"no Erlang term begins with the byte {data[start]}: it would be {VERSION}")
    if data[start + 1] == 80:
        body, end = _inflated(data, start + 2, largest)
        term, used = _read(body, 0, deepest)
        if used != len(body):
            raise TermError(f"after the compressed term there are {len(body) - used} more bytes")
        return term, end
    return _read(data, start + 1, deepest)


def decode_at(data: bytes, start: int) -> tuple[Any, int]:
    """A term inside another one, where it has no version byte, and where it ends."""
    return _read(data, start, DEEPEST)


def _inflated(data: bytes, start: int, largest: int) -> tuple[bytes, int]:
    if len(data) < start + 4:
        raise _ends_early()
    (size,) = _WORD.unpack_from(data, start)
    if size > largest:
        raise TermError(f"a compressed term of {size} bytes is larger than the {largest} allowed")
    inflater = zlib.decompressobj()
    try:
        body = inflater.decompress(memoryview(data)[start + 4 :], size + 1)
    except zlib.error as error:
        raise TermError("a compressed term is damaged", cause=str(error)) from error
    if len(body) != size or not inflater.eof:
        raise TermError(f"a compressed term is not the {size} bytes it says to be")
    return body, len(data) - len(inflater.unused_data)


def _ends_early() -> TermError:
    return TermError("the bytes end in the middle of a term")


_LIST, _TUPLE, _MAP, _ROOT = range(4)
_known: dict[bytes, Any] = {}


def _read(data: bytes, position: int, deepest: int) -> tuple[Any, int]:
    try:
        return _read_all(data, position, deepest)
    except (IndexError, struct.error):
        raise _ends_early() from None
    except UnicodeDecodeError as error:
        raise TermError("an atom is not in UTF-8") from error


def _read_all(data: bytes, position: int, deepest: int) -> tuple[Any, int]:  # noqa: C901, PLR0912, PLR0915  (one loop: speed)
    total = len(data)
    word = _WORD.unpack_from
    known = _known
    stack: list[tuple[int, list[Any], int]] = []
    items: list[Any] = []
    kind, left = _ROOT, 1
    value: Any
    while True:
        tag = data[position]
        position += 1
        if tag == 97:
            value = data[position]
            position += 1
        elif tag == 119:
            end = position + 1 + data[position]
            name = data[position + 1 : end]
            value = known.get(name, known)
            if value is known:
                value, _ = _leaf(data, position - 1, tag, total)
            position = end
        elif tag == 109:
            end = position + 4 + word(data, position)[0]
            if end > total:
                raise IndexError
            value = data[position + 4 : end]
            position = end
        elif tag in {104, 105, 108, 116}:
            if tag == 104:
                count, position = data[position], position + 1
            else:
                count, position = word(data, position)[0], position + 4
            inner = _TUPLE if tag < 108 else (_LIST if tag == 108 else _MAP)
            expected = count + 1 if inner == _LIST else (2 * count if inner == _MAP else count)
            if expected > total - position:
                raise IndexError
            if expected:
                stack.append((kind, items, left))
                if len(stack) > deepest:
                    raise TermError(f"a term is nested more than {deepest} deep")
                kind, items, left = inner, [], expected
                continue
            value = () if inner == _TUPLE else {}
        elif tag == 106:
            value = []
        else:
            value, position = _leaf(data, position - 1, tag, total)
        items.append(value)
        left -= 1
        while not left:
            if kind == _ROOT:
                return items[0], position
            value = tuple(items) if kind == _TUPLE else (_list(items) if kind == _LIST else _map(items))
            kind, items, left = stack.pop()
            items.append(value)
            left -= 1


def _list(items: list[Any]) -> Any:
    tail = items.pop()
    if isinstance(tail, list):
        return items + tail if tail else items
    if isinstance(tail, Improper):
        return Improper((*items, *tail.items), tail.tail)
    return Improper(tuple(items), tail) if items else tail


def _map(items: list[Any]) -> Any:
    pairs = list(zip(items[::2], items[1::2], strict=True))
    try:
        found = dict(pairs)
    except TypeError:  # a key that holds a list or a map
        return Map(pairs)
    return found if len(found) == len(pairs) else Map(pairs)


def _leaf(data: bytes, position: int, tag: int, total: int) -> tuple[Any, int]:
    """The rarer terms without other terms in them."""
    reader = _READERS.get(tag)
    if reader is None:
        raise TermError(f"{tag} is no kind of Erlang term known here")
    value, position = reader(data, position + 1)
    if position > total:
        raise IndexError
    return value, position


def _read_integer(data: bytes, at: int) -> tuple[int, int]:
    return _NUMBER.unpack_from(data, at)[0], at + 4


def _read_small_big(data: bytes, at: int) -> tuple[int, int]:
    return _big(data, at + 1, data[at])


def _read_large_big(data: bytes, at: int) -> tuple[int, int]:
    return _big(data, at + 4, _WORD.unpack_from(data, at)[0])


def _big(data: bytes, at: int, size: int) -> tuple[int, int]:
    end = at + 1 + size
    if end > len(data):
        raise IndexError
    magnitude = int.from_bytes(data[at + 1 : end], "little")
    return (-magnitude if data[at] else magnitude), end


def _read_float(data: bytes, at: int) -> tuple[float, int]:
    return _finite(_FLOAT.unpack_from(data, at)[0]), at + 8


def _read_old_float(data: bytes, at: int) -> tuple[float, int]:
    digits = data[at : at + 31].rstrip(b"\0")
    try:
        return _finite(float(digits)), at + 31
    except ValueError as error:
        raise TermError(f"{digits!r} is no float") from error


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise TermError(f"Erlang has no float {value!r}")
    return value


def _read_string(data: bytes, at: int) -> tuple[list[int], int]:
    end = at + 2 + _SHORT.unpack_from(data, at)[0]
    return list(data[at + 2 : end]), end


def _read_bits(data: bytes, at: int) -> tuple[Bits | bytes, int]:
    end = at + 5 + _WORD.unpack_from(data, at)[0]
    if end > len(data):
        raise IndexError
    bits = data[at + 4]
    return (data[at + 5 : end] if bits == 8 else Bits(data[at + 5 : end], bits)), end


def _read_small_utf8(data: bytes, at: int) -> tuple[Any, int]:
    return _atom(data, at + 1, data[at], "utf-8")


def _read_utf8(data: bytes, at: int) -> tuple[Any, int]:
    return _atom(data, at + 2, _SHORT.unpack_from(data, at)[0], "utf-8")


def _read_small_latin(data: bytes, at: int) -> tuple[Any, int]:
    return _atom(data, at + 1, data[at], "latin-1")


def _read_latin(data: bytes, at: int) -> tuple[Any, int]:
    return _atom(data, at + 2, _SHORT.unpack_from(data, at)[0], "latin-1")


def _atom(data: bytes, at: int, size: int, encoding: str) -> tuple[Any, int]:
    end = at + size
    if end > len(data) or size > 4 * LONGEST_ATOM:
        raise IndexError
    raw = data[at:end]
    name = raw.decode(encoding)
    atom = _LEAVES[name] if name in _LEAVES else Atom(name)
    if encoding == "utf-8" and len(_known) < KNOWN_ATOMS:
        _known[raw] = atom
    return atom, end


def _named(data: bytes, at: int) -> tuple[Atom, int]:
    """An atom inside another term: a node, a module."""
    if data[at] not in _ATOMS:
        raise TermError("where a node or a module should be named there is no atom")
    value, at = _leaf(data, at, data[at], len(data))
    return (
        value if isinstance(value, Atom) else Atom({True: "true", False: "false", None: "nil"}[value])
    ), at


def _read_pid(data: bytes, at: int) -> tuple[Pid, int]:
    node, at = _named(data, at)
    return Pid(node, *_THREE_WORDS.unpack_from(data, at)), at + 12


def _read_old_pid(data: bytes, at: int) -> tuple[Pid, int]:
    node, at = _named(data, at)
    number, serial = _TWO_WORDS.unpack_from(data, at)
    return Pid(node, number, serial, data[at + 8]), at + 9


def _read_port(data: bytes, at: int) -> tuple[Port, int]:
    node, at = _named(data, at)
    return Port(node, *_TWO_WORDS.unpack_from(data, at)), at + 8


def _read_old_port(data: bytes, at: int) -> tuple[Port, int]:
    node, at = _named(data, at)
    return Port(node, _WORD.unpack_from(data, at)[0], data[at + 4]), at + 5


def _read_large_port(data: bytes, at: int) -> tuple[Port, int]:
    node, at = _named(data, at)
    return Port(node, _LONG.unpack_from(data, at)[0], _WORD.unpack_from(data, at + 8)[0]), at + 12


def _read_reference(data: bytes, at: int) -> tuple[Ref, int]:
    count = _SHORT.unpack_from(data, at)[0]
    node, at = _named(data, at + 2)
    return Ref(node, _words(data, at + 4, count), _WORD.unpack_from(data, at)[0]), at + 4 + 4 * count


def _read_older_reference(data: bytes, at: int) -> tuple[Ref, int]:
    count = _SHORT.unpack_from(data, at)[0]
    node, at = _named(data, at + 2)
    return Ref(node, _words(data, at + 1, count), data[at]), at + 1 + 4 * count


def _read_oldest_reference(data: bytes, at: int) -> tuple[Ref, int]:
    node, at = _named(data, at)
    return Ref(node, _words(data, at, 1), data[at + 4]), at + 5


def _words(data: bytes, at: int, count: int) -> tuple[int, ...]:
    if not 1 <= count <= MOST_REFERENCE_WORDS:
        raise TermError(f"a reference has 1 to {MOST_REFERENCE_WORDS} words, not {count}")
    words: tuple[int, ...] = struct.unpack_from(f">{count}I", data, at)
    return words


def _read_export(data: bytes, at: int) -> tuple[Export, int]:
    module, at = _named(data, at)
    function, at = _named(data, at)
    if data[at] != 97:
        raise TermError("the arity of a fun is no small integer")
    return Export(module, function, data[at + 1]), at + 2


def _read_fun(data: bytes, at: int) -> tuple[Fun, int]:
    size, arity, _, index, _ = _FUN_HEADER.unpack_from(data, at)
    end = at + size
    module, inner = _named(data, at + _FUN_HEADER.size)
    if end > len(data) or inner > end:
        raise IndexError
    return Fun(module, index, arity, data[at - 1 : end]), end


_READERS: Final = {
    70: _read_float,
    77: _read_bits,
    88: _read_pid,
    89: _read_port,
    90: _read_reference,
    98: _read_integer,
    99: _read_old_float,
    100: _read_latin,
    101: _read_oldest_reference,
    102: _read_old_port,
    103: _read_old_pid,
    107: _read_string,
    110: _read_small_big,
    111: _read_large_big,
    112: _read_fun,
    113: _read_export,
    114: _read_older_reference,
    115: _read_small_latin,
    118: _read_utf8,
    119: _read_small_utf8,
    120: _read_large_port,
}
_ATOMS: Final = frozenset({100, 115, 118, 119})
