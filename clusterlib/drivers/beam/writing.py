"""Terms to bytes, as Erlang's `term_to_binary` writes them."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

from clusterlib.drivers.beam.errors import TermError
from clusterlib.drivers.beam.terms import Atom, Bits, Export, Fun, Improper, Map, Pid, Port, Ref

__all__ = ["DEEPEST", "VERSION", "Part", "encode", "encode_parts"]

VERSION: Final = 131
DEEPEST: Final = 500
"""How deep terms may be nested; a list of many items is one level."""
ALONE: Final = 2**15
"""From this size on, a binary is passed on uncopied, not copied into the buffer."""

Part = bytes | bytearray | memoryview

_SHORT, _WORD, _LONG, _FLOAT = (
    struct.Struct(">H"),
    struct.Struct(">I"),
    struct.Struct(">Q"),
    struct.Struct(">d"),
)
_NUMBER, _THREE_WORDS = struct.Struct(">i"), struct.Struct(">III")
_SMALL = [bytes((97, value)) for value in range(256)]


def encode(term: object, *, compress: bool = False, deepest: int = DEEPEST) -> bytes:
    """The term as bytes, version byte first."""
    if not compress:
        return b"".join(encode_parts(term, deepest=deepest))
    body = b"".join(encode_parts(term, deepest=deepest))[1:]
    return bytes((VERSION, 80)) + _WORD.pack(len(body)) + zlib.compress(body)


def encode_parts(term: object, *, deepest: int = DEEPEST) -> list[Part]:
    """The same as pieces to be sent one after another: large binaries are not copied."""
    writer = _Writer()
    try:
        writer.write(term, deepest)
    except struct.error as error:
        raise TermError("a part of the term is larger than the format can say") from error
    return writer.parts()


class _Writer:
    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._buffer = bytearray((VERSION,))

    def parts(self) -> list[Part]:
        return [*self._parts, self._buffer] if self._buffer else self._parts

    def write(self, term: object, deepest: int) -> None:  # noqa: C901, PLR0912  (one loop: speed)
        buffer = self._buffer
        stack: list[Iterator[Any]] = [iter((term,))]
        while stack:
            if len(stack) > deepest + 1:
                raise TermError(f"a term is nested more than {deepest} deep, or holds itself")
            for value in stack[-1]:
                kind = type(value)
                if kind is int:
                    if 0 <= value <= 255:
                        buffer += _SMALL[value]
                    elif -0x80000000 <= value <= 0x7FFFFFFF:
                        buffer += b"b"
                        buffer += _NUMBER.pack(value)
                    else:
                        self._big(value)
                elif kind is bytes:
                    self._binary(value)
                elif kind is str:
                    self._binary(_utf8(value))
                elif kind is Atom:
                    self._atom(value)
                elif kind is tuple:
                    buffer += bytes((104, len(value))) if len(value) < 256 else b"i" + _WORD.pack(len(value))
                    stack.append(iter(value))
                    break
                elif kind is list:
                    if not value:
                        buffer += b"j"
                        continue
                    if len(value) <= 0xFFFF and (string := _as_string(value)) is not None:
                        buffer += b"k"
                        buffer += _SHORT.pack(len(string))
                        buffer += string
                        continue
                    buffer += b"l"
                    buffer += _WORD.pack(len(value))
                    stack.append(chain(value, ([],)))
                    break
                elif (inner := self._other(value)) is not None:
                    stack.append(inner)
                    break
                buffer = self._buffer
            else:
                stack.pop()
            buffer = self._buffer

    def _other(self, value: Any) -> Iterator[Any] | None:  # noqa: C901, PLR0911, PLR0912  (one line a kind)
        match value:
            case bool():
                self._buffer += b"w\x04true" if value else b"w\x05false"
            case None:
                self._buffer += b"w\x03nil"
            case float():
                if not math.isfinite(value):
                    raise TermError(f"Erlang has no float {value!r}")
                self._buffer += b"F" + _FLOAT.pack(value)
            case Map():
                self._buffer += b"t" + _WORD.pack(len(value))
                return chain.from_iterable(value.pairs())
            case dict():
                self._buffer += b"t" + _WORD.pack(len(value))
                return chain.from_iterable(_with_distinct_keys(value).items())
            case bytearray() | memoryview():
                self._binary(bytes(value))
            case Improper():
                self._buffer += b"l" + _WORD.pack(len(value.items))
                return chain(value.items, (value.tail,))
            case Bits():
                self._buffer += b"M" + _WORD.pack(len(value.data)) + bytes((value.bits,)) + value.data
            case Pid():
                self._buffer += b"X"
                self._atom(value.node)
                self._buffer += _THREE_WORDS.pack(value.id, value.serial, value.creation)
            case Ref():
                self._buffer += b"Z" + _SHORT.pack(len(value.ids))
                self._atom(value.node)
                self._buffer += _WORD.pack(value.creation) + b"".join(map(_WORD.pack, value.ids))
            case Port():
                small = value.id < 2**28
                self._buffer += b"Y" if small else b"x"
                self._atom(value.node)
                self._buffer += (_WORD if small else _LONG).pack(value.id) + _WORD.pack(value.creation)
            case Export():
                self._buffer += b"q"
                self._atom(value.module)
                self._atom(value.function)
                self._buffer += _SMALL[value.arity]
            case Fun():
                self._buffer += value.raw
            case int():  # a subclass, such as IntEnum
                return iter((int(value),))
            case str():
                return iter((str.__str__(value),))
            case bytes():
                return iter((bytes(value),))
            case list():
                return iter((list(value),))
            case tuple():
                return iter((tuple(value),))
            case _:
                raise TermError(
                    f"a {type(value).__name__} is no Erlang term",
                    remedies=[
                        "give numbers, text, bytes, lists, tuples, dicts, True, False, None, or Atom(...)"
                    ],
                )
        return None

    def _binary(self, value: bytes) -> None:
        self._buffer += b"m"
        self._buffer += _WORD.pack(len(value))
        if len(value) < ALONE:
            self._buffer += value
        else:
            self._parts += [self._buffer, value]
            self._buffer = bytearray()

    def _atom(self, atom: Atom) -> None:
        name = _utf8(atom.name)
        self._buffer += bytes((119, len(name))) if len(name) < 256 else b"v" + _SHORT.pack(len(name))
        self._buffer += name

    def _big(self, value: int) -> None:
        magnitude = abs(value)
        size = (magnitude.bit_length() + 7) // 8
        self._buffer += bytes((110, size)) if size < 256 else b"o" + _WORD.pack(size)
        self._buffer += b"\1" if value < 0 else b"\0"
        self._buffer += magnitude.to_bytes(size, "little")


def _utf8(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise TermError("text with a lone surrogate has no UTF-8", evidence=[ascii(value[:80])]) from error


def _as_string(value: list[Any]) -> bytes | None:
    """The list as bytes if it has only integers from 0 to 255."""
    if type(value[0]) is not int or set(map(type, value)) != {int}:
        return None
    try:
        return bytes(value)
    except ValueError:
        return None


def _with_distinct_keys(value: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The same mapping, once it is sure that no two keys turn into one: text and its own UTF-8,
    True and Atom("true")."""
    return Map(value.items()) if len(set(map(type, value))) > 1 else value
