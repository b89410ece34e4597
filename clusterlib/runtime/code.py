# ruff: noqa: PTH116, PTH123
# (every import of a node, and every check of the imported files, runs through here: plain strings
# are three times as fast)
"""Records the files that this process has loaded as modules, with their state at that moment, so
that stale code is detected.

A finder before all others records what they find, with the state of the file before it is read.
Python's own library and clusterlib are left out, because a restart of a node would not renew them.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType
from typing import NoReturn

from clusterlib.frozen import frozen

__all__ = ["LoadedCode", "watch_imports"]

INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
"""Files below these are changed by installers, not by people with an editor."""
OWN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")  # noqa: PTH100, PTH118, PTH120
LIBRARY = tuple(
    os.path.join(os.path.dirname(path), "")  # noqa: PTH118, PTH120
    for path in (os.__file__, os.path.realpath(os.__file__))
)
COARSE = 0.05
"""The time of a file may be behind the clock by as many seconds."""

Mark = tuple[int, int, int, int, int]


@frozen
class Seen:
    """A module's file in its state before it was read."""

    path: str
    """Empty if the module has no file of its own, such as a package without `__init__.py`."""
    mark: Mark | None
    digest: str | None
    """The digest of the content, if people may edit the file: a touched file with the same content
    has not changed."""


class LoadedCode:
    """Everything that this process has imported from files.

    All its nodes share this, as they share the modules."""

    def __init__(self) -> None:
        self._found: dict[str, Seen] = {}
        self._missed: dict[str, None] = {}
        self._preloaded = frozenset(sys.modules)
        """Modules that were loaded before: clusterlib's runtime and its imports."""
        self._begun = time.time() - COARSE
        self._count = len(sys.modules)
        self._lock = threading.Lock()
        self._finder = _RecordingFinder(self)
        sys.meta_path.insert(0, self._finder)

    def record(self) -> None:
        """Records modules that were loaded without an import. Costs nothing if there are none."""
        if len(sys.modules) == self._count:
            return
        with self._lock:  # calls end in many threads
            for name, module in list(sys.modules.items()):
                if name not in self._found and name not in self._preloaded:
                    path = getattr(module, "__file__", None)
                    self._found[name] = _seen(path if isinstance(path, str) else "")
            self._count = len(sys.modules)

    def report(self) -> tuple[dict[str, str], list[str]]:
        """The digests of the modules that people may edit, and all modules that differ from the
        disk now.
        """
        stale = sorted(self.stale())
        digests = {name: seen.digest for name, seen in sorted(self._found.items()) if seen.digest is not None}
        return {name: digest for name, digest in digests.items() if name in sys.modules}, stale

    def stale(self) -> dict[str, str]:
        """Modules that would be imported differently now, each with the file that has changed, has
        gone, or has appeared and would take precedence.
        """
        self.record()
        stale = {}
        folders = _Folders(self._begun)
        for name, seen in list(self._found.items()):
            if seen.path and not self._is_as_it_was(name, seen):
                stale[name] = seen.path
            elif seen.digest is not None or not seen.path:
                stale[name] = self._has_come(name, seen.path, folders)
        for name in list(self._missed):
            if name not in self._found:
                stale[name] = self._has_come(name, "", folders)
        return {name: path for name, path in stale.items() if path}

    # -- what the finder tells

    def found(self, name: str, spec: ModuleSpec) -> None:
        path = spec.origin if spec.has_location and isinstance(spec.origin, str) else ""
        archive = getattr(spec.loader, "archive", None)
        self._found[name] = _seen(archive if isinstance(archive, str) else path)
        if type(spec.loader) is SourceFileLoader and _is_edited(path):
            spec.loader = _RecordedLoader(self, name, path)

    def missed(self, name: str) -> None:
        self._missed[name] = None

    def read(self, name: str, path: str, content: bytes) -> None:
        """The module consists of this content, even if its file changes from now on."""
        seen = self._found.get(name)
        if seen is not None and seen.path == path and seen.digest is not None:
            self._found[name] = Seen(path, seen.mark, hashlib.sha256(content).hexdigest())

    # -- looking

    def _is_as_it_was(self, name: str, seen: Seen) -> bool:
        mark = _mark(seen.path)
        if mark is not None and mark == seen.mark:
            return True
        if mark is None:
            return self._was_temporary(seen)
        if seen.digest is None or _digest(seen.path) != seen.digest:
            return False
        self._found[name] = Seen(seen.path, mark, seen.digest)
        return True

    def _was_temporary(self, seen: Seen) -> bool:
        """Whether this file was made in a temporary folder that is gone. A restarted node would
        make and remove another one.

        Such a folder is inside the system's temporary folder, and is removed as a whole. A project
        may be there as well, but if a file of a project is removed, the project's folder remains.
        """
        if seen.mark is None or seen.mark[-1] / 1e9 < self._begun:
            return False
        from tempfile import gettempdir  # few processes need it

        gone_from = _place_of_what_is_gone(seen.path)
        return gone_from != os.path.dirname(seen.path) and _is_same(gone_from, gettempdir())  # noqa: PTH120

    def _has_come(self, name: str, path: str, folders: _Folders) -> str:
        """The file that an import of this name would now use instead of `path`, if it appeared
        after this process began.
        """
        parent, _, last = name.rpartition(".")
        within = getattr(sys.modules.get(parent), "__path__", None) if parent else None
        if (parent and within is None) or not folders.have_changed(
            sys.path if within is None else within, last
        ):
            return ""
        try:
            spec = self._finder.ask_others(name, within)
        except Exception:  # noqa: BLE001 - somebody else's finder, asked at another time than it expects
            return ""
        origin = spec.origin if spec is not None and spec.has_location else None
        if not isinstance(origin, str) or origin == path or not _is_of_interest(origin):
            return ""
        return origin if folders.changed(origin) or folders.changed(os.path.dirname(origin)) else ""  # noqa: PTH120


class _Folders:
    """Which folders have changed since that time.

    Each is checked once, so many modules cost little."""

    def __init__(self, since: float) -> None:
        self._since = since
        self._changed: dict[str, bool] = {}

    def changed(self, path: str) -> bool:
        known = self._changed.get(path)
        if known is None:
            known = self._changed[path] = _changed(path) >= self._since
        return known

    def have_changed(self, within: Iterable[str], last: str) -> bool:
        """Whether another module of that name may be found in these folders, or as a package below
        one of them.
        """
        return any(self.changed(folder) or _changed(f"{folder}/{last}") >= self._since for folder in within)


class _RecordingFinder:
    """Asks all later finders, and records what they find."""

    def __init__(self, code: LoadedCode) -> None:
        self._code = code

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = self.ask_others(name, path, target)
        if spec is None:
            self._code.missed(name)
        else:
            self._code.found(name, spec)
        return spec

    def ask_others(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        finders = list(sys.meta_path)
        behind = finders[finders.index(self) + 1 :] if self in finders else []
        for finder in behind:
            ask = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = ask(name, path, target) if ask is not None else None
            if spec is not None:
                return spec
        return None


class _RecordedLoader(SourceFileLoader):
    """Always compiles what it loads.

    Cached bytecode counts as fresh when size and *second* of the last change agree, so an older
    version of a file that changed twice within a second would be run."""

    def __init__(self, code: LoadedCode, name: str, path: str) -> None:
        super().__init__(name, path)
        self._code = code

    def path_stats(self, path: str) -> NoReturn:
        raise OSError(f"bytecode of {path} is not to be trusted")

    def get_data(self, path: str) -> bytes:
        content = super().get_data(path)
        self._code.read(str(self.name), str(path), content)
        return content


_watching: list[LoadedCode] = []


def watch_imports() -> LoadedCode:
    """Starts to record the imports of this process, and makes it compile files that people may edit
    from their source."""
    if not _watching:
        _watching.append(LoadedCode())
    return _watching[0]


def _is_same(folder: str, other: str) -> bool:
    return os.path.realpath(folder) == os.path.realpath(other)


def _place_of_what_is_gone(path: str) -> str:
    """The folder that contained this file, or its nearest parent that still exists."""
    folder = os.path.dirname(path)  # noqa: PTH120
    while folder != os.path.dirname(folder) and not os.path.isdir(folder):  # noqa: PTH112, PTH120
        folder = os.path.dirname(folder)  # noqa: PTH120
    return folder


def _seen(path: str) -> Seen:
    if not path or not _is_of_interest(path):
        return Seen("", None, None)
    mark = _mark(path)
    return Seen(path, mark, _digest(path) if _is_edited(path) and path.endswith(".py") else None)


def _is_of_interest(path: str) -> bool:
    return any(folder in path for folder in INSTALLED) or not path.startswith((OWN, *LIBRARY))


def _is_edited(path: str) -> bool:
    """Whether people may edit the file: it is neither installed nor part of Python."""
    return _is_of_interest(path) and not any(folder in path for folder in INSTALLED)


def _mark(path: str) -> Mark | None:
    """Identifies the state of a file without reading it."""
    try:
        seen = os.stat(path)
    except (OSError, ValueError):
        return None
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


def _changed(path: str) -> float:
    """When the file was changed or moved to its place."""
    try:
        return os.stat(path).st_ctime
    except OSError:
        return 0.0


def _digest(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except (OSError, ValueError):
        return None
