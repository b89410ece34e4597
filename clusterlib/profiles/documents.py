"""Reads one TOML file, and explains completely why it cannot be read."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from clusterlib.profiles import positions
from clusterlib.profiles.origins import Mistake, Origin
from clusterlib.values.sources import ValueSource

__all__ = ["Document", "Unreadable", "contents", "read_document"]

DEEPEST = 32
"""Tables within tables.

A profile has three levels; the file of a whole project may have some more."""
LARGEST = 1024 * 1024  # a profile is a page of text; a larger file is something else
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "UTF-8", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class Unreadable(Exception):
    def __init__(self, problem: str, right: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.right = right
        self.line = line

    def as_mistake(self, name: str, shown: str) -> Mistake:
        return Mistake(self.problem, self.right, "", Origin(ValueSource.PROFILE, name, shown, self.line))


@dataclass(frozen=True)
class Document:
    """A TOML file that could be read."""

    path: Path
    text: str = field(repr=False)
    tree: dict[str, Any] = field(repr=False)

    @cached_property
    def _lines(self) -> dict[positions.Path, int]:
        return positions.key_lines(self.text)  # only on demand: a correct profile needs no line numbers

    def line(self, path: positions.Path) -> int | None:
        """The line of a key, or of the nearest table around it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                return self._lines[path[:length]]
        return None


def read_document(path: Path) -> Document:
    """Raises Unreadable."""
    text = _decoded(contents(path))
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem, line = _problem_and_line(str(error), text)
        raise Unreadable(f"is not valid TOML: {problem}", "see https://toml.io/en/v1.0.0", line) from None
    except ValueError as error:  # a number with more digits than Python converts
        raise Unreadable(f"is not valid TOML: {error}", "write a shorter number") from None
    except RecursionError:
        raise _too_deep() from None
    if _is_deep(tree):
        raise _too_deep()
    return Document(path, text, tree)


def _too_deep() -> Unreadable:
    return Unreadable("is nested too deeply to be read", "a profile needs no more than three levels")


def _is_deep(tree: Any) -> bool:
    """Level by level: a recursion would overflow before the tree ends."""
    level = [tree]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def contents(path: Path) -> bytes:
    """The content of the file.

    Raises Unreadable, also for anything but a plain file: reading a pipe or a device might never
    end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISDIR(mode):
                raise Unreadable("is a folder, not a file", "name a .toml file in it")
            if not stat.S_ISREG(mode):
                raise Unreadable("is not a regular file", "name a .toml file")
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise Unreadable(
                f"is larger than {LARGEST // 1024} KiB", "a profile is a page of text: is it the right file?"
            )
        return data
    except IsADirectoryError:
        raise Unreadable("is a folder, not a file", "name a .toml file in it") from None
    except FileNotFoundError:
        raise Unreadable("does not exist", "check the path") from None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Unreadable(f"cannot be read: {why}", f"check it with: ls -l {path}") from None
    except ValueError:  # a NUL in the path
        raise Unreadable("is no path", "check the path") from None


def _decoded(data: bytes) -> str:
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            what = f"begins with a byte order mark ({encoding})"
            raise Unreadable(what, "save it as UTF-8 without a byte order mark", 1)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        what = f"is not UTF-8: byte 0x{data[error.start]:02x} at column {column}"
        raise Unreadable(what, "save it as UTF-8", line) from None


def _problem_and_line(message: str, text: str) -> tuple[str, int]:
    """tomllib's message without its place, except the column, and the line."""
    found = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", message, re.DOTALL)
    if found is None:
        return message.replace(" (at end of document)", " at the end of the file"), text.rstrip("\n").count(
            "\n"
        ) + 1
    return f"{found[1]} (column {found[3]})", int(found[2])
