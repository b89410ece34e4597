# ruff: noqa: PTH110, PTH116, PTH118, PTH123, PTH206
# (a tree of thousands of files is walked at every start: plain strings are three times as fast)
"""Which code is it? Digests of sources, on disk and as a node loaded them: what keeps reuse from running stale code."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from importlib.abc import PathEntryFinder

__all__ = ["LoadedCode", "changed", "fingerprint", "import_from_source"]

SKIPPED = frozenset({"__pycache__", "build", "dist", "node_modules", "site-packages", "venv"})
MOST_CONTENTS = (
    64 << 20
)  # bytes read of one tree; of what is beyond, size and time of change stand for the contents


def fingerprint(roots: Iterable[Path]) -> tuple[str, dict[str, str]]:
    """A digest of all Python sources under `roots`, and the digest of each file by its path.

    Depends on names and contents only. Hidden folders, virtual environments, caches and build output are left out; links
    are followed, but no folder is entered twice."""
    files: dict[str, str] = {}
    budget = MOST_CONTENTS
    whole = hashlib.sha256()
    for number, root in enumerate(sorted({root.resolve() for root in roots})):
        for path in sorted(_sources(root)):
            if path in files:
                continue
            files[path], used = _digest(path, budget)
            budget -= used
            within = os.path.relpath(path, root)
            whole.update(f"{number}\0{within}\0{files[path]}\n".encode(errors="surrogateescape"))
    return whole.hexdigest(), files


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The names of what was added, removed or altered between two fingerprints, sorted."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


class _FromSource(SourceFileLoader):
    """Compiles what it loads, always. Cached bytecode counts as fresh when size and *second* of the last change agree, so a file
    that is changed twice in a second would be run as it was before."""

    def path_stats(self, path: str) -> NoReturn:
        raise OSError(f"bytecode of {path} is not to be trusted")


def import_from_source(roots: Iterable[str]) -> None:
    """From now on modules below these roots are imported as their source says now; all others as ever."""
    own = _Own(roots)
    finder = FileFinder.path_hook((ExtensionFileLoader, EXTENSION_SUFFIXES), (_FromSource, [".py"]))

    def hook(path: str) -> PathEntryFinder:
        if not own.contains(os.path.join(os.path.realpath(path), "module.py")):
            raise ImportError(f"{path} is not below the code roots")
        return finder(path)

    sys.path_hooks.insert(0, hook)
    sys.path_importer_cache.clear()


class _Own:
    """Which files are the project's own: below a root, but not in a virtual environment or a build below it."""

    def __init__(self, roots: Iterable[str]) -> None:
        self.roots = tuple(os.path.join(os.path.realpath(root), "") for root in roots)

    def contains(self, path: str) -> bool:
        return any(
            path.startswith(root) and not any(map(_is_skipped, path[len(root) :].split(os.sep)[:-1]))
            for root in self.roots
        )


class LoadedCode:
    """The project's own modules in this process, with the digest of their source as it was when they were first seen."""

    def __init__(self, roots: Iterable[str]) -> None:
        self._own = _Own(roots)
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._count = 0
        self._modules: dict[str, tuple[str, str]] = {}

    def record(self) -> None:
        """Takes note of modules imported since the last time. Costs nothing when there are none."""
        if len(sys.modules) == self._count or not self._own.roots:
            return
        with self._lock:  # calls end in many threads
            for name in sys.modules.keys() - self._seen:
                self._seen.add(name)
                path = self._own_source(name)
                if path is not None:
                    self._modules[name] = (path, _digest(path, MOST_CONTENTS)[0])
            self._count = len(sys.modules)

    def report(self) -> tuple[dict[str, str], list[str]]:
        """The digests by module, and the modules whose source on disk is another one now."""
        self.record()
        modules = {name: digest for name, (_, digest) in sorted(self._modules.items())}
        stale = [
            name
            for name, (path, digest) in sorted(self._modules.items())
            if _digest(path, MOST_CONTENTS)[0] != digest
        ]
        return modules, stale

    def _own_source(self, name: str) -> str | None:
        path = getattr(sys.modules.get(name), "__file__", None)
        if not isinstance(path, str) or not path.endswith(".py"):
            return None
        path = os.path.realpath(path)
        return path if self._own.contains(path) else None


def _sources(root: Path) -> Iterator[str]:
    """Every Python file under a root, or the root itself if it is one."""
    if root.is_file():
        yield str(root)
        return
    pending, entered = [str(root)], set()
    while pending:
        folder = pending.pop()
        try:
            facts = os.stat(folder)
            if (facts.st_dev, facts.st_ino) in entered:
                continue
            entered.add((facts.st_dev, facts.st_ino))
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue  # a folder that nobody may read holds no code that a node could import
        for entry in entries:
            try:
                if entry.is_dir():
                    if not _is_skipped(entry.name) and not os.path.exists(
                        os.path.join(entry.path, "pyvenv.cfg")
                    ):
                        pending.append(entry.path)
                elif entry.name.endswith(".py") and entry.is_file():
                    yield entry.path
            except OSError:
                continue


def _is_skipped(folder: str) -> bool:
    return folder in SKIPPED or folder.startswith(".") or folder.endswith(".egg-info")


def _digest(path: str, budget: int) -> tuple[str, int]:
    """The digest of a file, and how many bytes were read for it."""
    try:
        with open(path, "rb") as file:
            facts = os.fstat(file.fileno())
            if facts.st_size > budget:
                return f"unread:{facts.st_size}:{facts.st_mtime_ns}", 0
            return hashlib.sha256(file.read()).hexdigest(), facts.st_size
    except OSError as error:
        return f"unreadable:{error.strerror}", 0
