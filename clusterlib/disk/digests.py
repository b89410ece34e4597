# ruff: noqa: PTH110, PTH113, PTH116, PTH118, PTH119, PTH120, PTH123
# (a tree of thousands of files is walked at every start: plain strings are three times as fast)
"""Digests of sources and of watched files, as they are on disk now."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from clusterlib.messages.plan import NoCode

__all__ = ["MAGIC", "changed", "comes_to", "named_files", "sources_below", "watched_files"]

MOST_CONTENTS = (
    64 << 20
)  # bytes read of one set of files; of files beyond this, only size and time of change count
MOST_OF_A_FILE = 1 << 20  # the same for one file that nodes read at their start: a program may have 25 MB
NO_CODE = NoCode()
NO_FILE = "no file"
MAGIC = re.compile(r"[*?[]")
OURS = frozenset({".clusterlib", ".git", "__pycache__"})
"""These change all the time, and are not files of the project."""


def sources_below(roots: Iterable[str], left_out: NoCode = NO_CODE) -> dict[str, str]:
    """The digest of each Python file and extension module under these folders, by path, without
    tests.

    Also left out are paths for which `left_out` is true, hidden folders, virtual environments,
    installed packages, and the node_modules of npm. Links are followed, but no folder is entered
    twice."""
    aside, is_test = frozenset(left_out.paths), _matcher(left_out.names)

    def enters(folder: str) -> bool:
        return folder not in aside and _may_hold_code(folder)

    found = (path for root in roots for path in _walk(root, enters))
    code = (path for path in found if _is_code(path) and path not in aside and not is_test(path))
    return _digests(code, MOST_OF_A_FILE)


def watched_files(patterns: Iterable[str]) -> dict[str, str]:
    """The digest of each file that matches one of these absolute patterns, by path.

    A folder means everything in it."""
    return _digests(path for pattern in patterns for path in _matching(pattern))


def named_files(paths: Iterable[str]) -> dict[str, str]:
    """The digest of each of these files. Only large files, such as programs, count as changed if
    they are touched.

    A path that is not a file, such as a folder or a socket, counts as missing."""
    return {path: _digest(path, MOST_OF_A_FILE)[0] if os.path.isfile(path) else NO_FILE for path in paths}


def comes_to(roots: Iterable[str], folder: str, left_out: NoCode = NO_CODE) -> bool:
    """Whether `sources_below` of these roots looks into this folder."""
    return any(_leads_to(root, folder, left_out) for root in roots)


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The names of what was added, removed or altered, sorted."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _leads_to(root: str, folder: str, left_out: NoCode) -> bool:
    while len(folder) > len(root) and folder not in left_out.paths and _may_hold_code(folder):
        folder = os.path.dirname(folder)
    return folder == root


def _matcher(patterns: Iterable[str]) -> Callable[[str], object]:
    """Whether a path matches one of these patterns. A pattern without a slash matches names."""
    if not patterns:
        return lambda _: False
    return re.compile("|".join(fnmatch.translate(f"*/{pattern}") for pattern in patterns)).match


def _is_code(path: str) -> bool:
    name = os.path.basename(path)
    is_test = name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"
    return name.endswith((".py", ".pyd", ".so")) and not is_test


def _may_hold_code(folder: str) -> bool:
    above, name = os.path.split(folder)
    if name.startswith(".") or name in {"__pycache__", "site-packages", "dist-packages", "tests"}:
        return False
    if name == "node_modules" and os.path.exists(os.path.join(above, "package.json")):
        return False
    return not os.path.exists(os.path.join(folder, "pyvenv.cfg"))


def _matching(pattern: str) -> Iterator[str]:
    base = pattern
    while MAGIC.search(base):
        base = os.path.dirname(base)
    if base == pattern:
        yield from _walk(base, _is_not_ours)
        return
    wanted = re.compile(_expression(pattern))
    yield from (path for path in _walk(base, _is_not_ours) if wanted.fullmatch(path))


def _is_not_ours(folder: str) -> bool:
    return os.path.basename(folder) not in OURS


def _expression(pattern: str) -> str:
    """The pattern as a regular expression: `**` matches any folders, `*` and `?` match within one
    name. A folder means everything in it."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^]/]+\])", pattern)
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    patterns = (
        known.get(part) or (_choice(part) if part.startswith("[") else re.escape(part)) for part in parts
    )
    return "".join(patterns) + "(?:/.*)?"


def _choice(part: str) -> str:
    return "[^" + part[2:] if part.startswith("[!") else part


def _walk(root: str, enters: Callable[[str], bool]) -> Iterator[str]:
    """Every file under a root, or the root itself if it is one."""
    if os.path.isfile(root):
        yield root
        return
    pending, entered = [root], set[tuple[int, int]]()
    while pending:
        folder = pending.pop()
        try:
            facts = os.stat(folder)
            if (facts.st_dev, facts.st_ino) in entered:
                continue
            entered.add((facts.st_dev, facts.st_ino))
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue  # a folder that we may not read contains nothing that a node could read
        for entry in entries:
            try:
                if entry.is_dir():
                    if enters(entry.path):
                        pending.append(entry.path)
                elif entry.is_file():
                    yield entry.path
            except OSError:
                continue


def _digests(paths: Iterable[str], most_of_a_file: int = MOST_CONTENTS) -> dict[str, str]:
    files: dict[str, str] = {}
    budget = MOST_CONTENTS
    for path in paths:
        if path not in files:
            files[path], used = _digest(path, min(budget, most_of_a_file))
            budget -= used
    return files


def _digest(path: str, budget: int) -> tuple[str, int]:
    """The digest of a file, and how many bytes were read for it."""
    try:
        with open(path, "rb") as file:
            facts = os.fstat(file.fileno())
            if facts.st_size > budget:
                return f"unread:{facts.st_size}:{facts.st_mtime_ns}:{facts.st_ctime_ns}:{facts.st_ino}", 0
            return hashlib.sha256(file.read()).hexdigest(), facts.st_size
    except OSError as error:
        return f"unreadable:{error.strerror}", 0
