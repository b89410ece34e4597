"""Finds the files and folders that a profile names, and decides which of them are read at a
start."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "HERE",
    "PROJECT",
    "head_of",
    "is_file",
    "is_read_at_start",
    "names_interpreter",
    "size_of",
    "with_project",
    "within",
]

HERE = "\ue000"
"""Stands for the project's folder, which may contain spaces, until a text is split into words."""
PROJECT = re.compile(r"\{\{-?\s*cluster\.project\s*(\|\s*quote\s*)?-?\}\}")
READ_AT_START = frozenset(
    {
        ".bash",
        ".cfg",
        ".cjs",
        ".conf",
        ".escript",
        ".exs",
        ".ini",
        ".jar",
        ".js",
        ".json",
        ".lua",
        ".mjs",
        ".php",
    }
    | {".pl", ".properties", ".py", ".pyz", ".rb", ".sh", ".toml", ".ts", ".wasm", ".xml", ".yaml", ".yml"}
)
"""Suffixes of files elsewhere that a program reads when it starts.

Others, such as a database, change while it runs."""


def is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0


def is_read_at_start(path: Path) -> bool:
    """Whether a program that gets this file probably reads it when it starts."""
    return is_file(path) and (path.suffix in READ_AT_START or names_interpreter(path))


def with_project(text: str, project: Path) -> str:
    """A text of a profile with the project's folder filled in."""
    return PROJECT.sub(lambda _: str(project), text)


def within(project: Path | str, paths: Iterable[str]) -> tuple[str, ...]:
    """These paths, with relative ones resolved in the project."""
    return tuple(os.path.normpath(Path(project) / path) for path in paths)


def names_interpreter(path: Path) -> bool:
    return head_of(path).startswith(b"#!")


def head_of(path: Path, most: int = 512) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except (OSError, ValueError):
        return b""
