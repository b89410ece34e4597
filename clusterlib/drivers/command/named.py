"""The files of a project that a text names by path: a word of a command, the value of a variable, a
shell script."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from clusterlib.disk.paths import HERE, PROJECT, is_file, is_read_at_start, size_of

__all__ = ["named_in"]

BREAKS = re.compile(r"""[\s=:,;'"`()<>|&@{}\[\]]+""")
"""Characters between two paths, or between a path and other text."""
WRITES_TO = re.compile(r">+&?\s*\S+")
VARIABLE = re.compile(r"\$\{?\w+\}?")
NOT_LOOKED_AT = frozenset({".clusterlib", ".git", "__pycache__"})
WRITTEN = frozenset(
    {".aof", ".db", ".err", ".lock", ".log", ".out", ".pid", ".rdb", ".sock", ".sqlite", ".sqlite3", ".tmp"}
)
"""Suffixes of files that servers write while they run."""
MOST_OF_A_FILE = 16 << 20
"""A larger file is data, unless it is executable."""


def named_in(text: str, project: Path, folder: Path | None = None) -> Iterator[Path]:
    """The files that a server probably reads when it starts, including those that do not exist yet.

    A path that does not begin with `/` is searched in `folder`, in the project, and in the folders
    that the text names."""
    words = dict.fromkeys(_words(PROJECT.sub(HERE, text).replace(str(project), HERE)))
    places = [*([folder] if folder else []), project]
    folders = [path for path in _paths(words, project, places) if _is_folder_within(path, project)]
    for path in dict.fromkeys(_paths(words, project, dict.fromkeys([*places, *folders]))):
        if _is_read(path, project):
            yield path
    yield from (
        path for path in _paths(filter(_names_a_place, words), project, [project]) if _may_come(path, project)
    )


def _words(text: str) -> Iterator[str]:
    yield text  # the name of a file may contain anything
    yield text.partition("=")[2]
    for word in BREAKS.split(VARIABLE.sub("", WRITES_TO.sub(" ", text))):
        yield word
        if HERE in word:
            yield word[word.index(HERE) :]


def _paths(words: Iterable[str], project: Path, places: Iterable[Path]) -> Iterator[Path]:
    for word in filter(None, words):
        filled = word.replace(HERE, str(project))
        if filled.startswith("/"):
            yield Path("/" + os.path.normpath(filled).lstrip("/"))
        for place in places:
            yield Path(os.path.normpath(place / filled.lstrip("/")))  # perhaps `/bin/x` was `$ROOT/bin/x`


def _is_read(path: Path, project: Path) -> bool:
    if not path.is_relative_to(project):
        return is_read_at_start(path)
    if not _is_of_the_project(path, project) or not is_file(path):
        return False
    return os.access(path, os.X_OK) or size_of(path) <= MOST_OF_A_FILE


def _names_a_place(word: str) -> bool:
    return word.startswith(HERE) or ("/" in word and not word.startswith("/"))


def _may_come(path: Path, project: Path) -> bool:
    """Whether it looks like a file that does not exist yet.

    A name without a suffix may be a folder."""
    is_file_name = path.is_relative_to(project) and "." in path.name
    return (
        is_file_name
        and _is_of_the_project(path, project)
        and not os.path.lexists(path)
        and os.path.isdir(path.parent)  # noqa: PTH112 - asks without raising
    )


def _is_of_the_project(path: Path, project: Path) -> bool:
    return NOT_LOOKED_AT.isdisjoint(path.relative_to(project).parts) and path.suffix not in WRITTEN


def _is_folder_within(path: Path, project: Path) -> bool:
    return path.is_relative_to(project) and os.path.isdir(path)  # noqa: PTH112 - asks without raising
