"""The files of a project's `operations/`, as they are on disk now.

They are looked at whenever somebody asks, and only those that have changed are read. If a changed
file is broken, its last version that worked stays in use, and the trouble says so."""

from __future__ import annotations

import contextlib
import os
import time
from functools import cache
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING, Any

from clusterlib.errors import OperationBroken
from clusterlib.frozen import frozen
from clusterlib.operations.listing import ListedOperation, SourceTrouble
from clusterlib.operations.remembering import FileListing, Memory

if TYPE_CHECKING:
    from clusterlib.operations.declaring import Operation

__all__ = ["FOLDER", "ProjectSources", "sources_of"]

FOLDER = "operations"
SETTLED_SECONDS = 1.0
"""A file that is younger may change again without a change of its times, which are coarse."""
KEPT = "its last version that worked stays in use"
State = tuple[int, ...]
Seen = tuple[int, list[ListedOperation], list[SourceTrouble]]


class _Version:
    """A file as it was when it was read."""

    def __init__(self, file: Path, text: str, entry: FileListing) -> None:
        self.file = file
        self.text = text
        self.operations = entry.operations
        self.mistakes = entry.troubles
        """Of its declarations."""
        self.failure: SourceTrouble | None = None
        """Of its import."""
        self.module: ModuleType | None = None

    @property
    def troubles(self) -> tuple[SourceTrouble, ...]:
        return self.mistakes if self.failure is None else (*self.mistakes, self.failure)

    def imported(self) -> ModuleType:
        """Raises OperationBroken. It is tried again each time: the cause may be in another file."""
        if self.module is None:
            from clusterlib.operations.project_modules import execute

            try:
                self.module = execute(self.file, self.text)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                self.failure = _trouble(self.file, error)
                raise _failed(self.file, error) from error
            self.failure = None
        return self.module


class _File:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.state: State = ()
        self.settled = False
        self.newest: _Version | None = None
        self.good: _Version | None = None
        """The version before, until the newest one has been imported."""

    @property
    def used(self) -> _Version | None:
        newest_fails = self.newest is None or bool(self.newest.troubles)
        return self.good if self.good is not None and newest_fails else self.newest

    @property
    def operations(self) -> tuple[ListedOperation, ...]:
        return self.used.operations if self.used else ()

    @property
    def troubles(self) -> tuple[SourceTrouble, ...]:
        found = self.newest.troubles if self.newest else ()
        if self.used is self.newest:
            return found
        return tuple(SourceTrouble(one.file, one.line, f"{one.problem}; {KEPT}") for one in found)

    def renew(self, version: _Version) -> None:
        """What has been imported before is imported at once, so that a mistake shows at once."""
        if self.used is not None and not self.used.troubles:
            self.good = self.used
        self.newest = version
        if self.good is not None and self.good.module is not None:
            self.imported()

    def imported(self) -> ModuleType:
        """The module of the newest version that works. Raises OperationBroken if none does."""
        assert self.newest is not None
        if self.good is not None and self.newest.mistakes:
            return self.good.imported()
        try:
            module = self.newest.imported()
        except OperationBroken:
            if self.good is None:
                raise
            return self.good.imported()
        self.good = None
        return module


@frozen
class _SeenHelper:
    """A module beside the operations, as it was imported or last tried."""

    state: State
    source: bytes | None
    settled: bool

    def now(self, file: Path) -> _SeenHelper:
        """Read again if it has changed or is young."""
        state = _state(file)
        if self.settled and state == self.state:
            return self
        return _SeenHelper(state, _source_of(file), _is_settled(state))


class ProjectSources:
    """The operations of one project. Threads may share it."""

    def __init__(self, project: Path) -> None:
        self._folder = project / FOLDER
        self._memory = Memory(project)
        self._files: dict[str, _File] = {}
        self._helpers: dict[str, _SeenHelper] = {}
        self._lock = RLock()
        self._changes = 0
        self._seen: Seen = (0, [], [])
        self._importing = False

    def look(self) -> Seen:
        """How often something has changed, and what there is now: operations and mistakes.

        While another thread imports an operation, which may take long, it is what there was."""
        if not self._lock.acquire(blocking=not self._importing):
            return self._seen
        try:
            self._notice()
            files = [file for _, file in sorted(self._files.items())]
            self._seen = (
                self._changes,
                [operation for one in files for operation in one.operations],
                [trouble for one in files for trouble in one.troubles],
            )
            return self._seen
        finally:
            self._lock.release()

    def load(self, listed: ListedOperation) -> Operation[Any]:
        """The operation, of the version that is used now. Raises OperationBroken."""
        from clusterlib.operations.declaring import Operation

        with self._lock:
            file = self._files.get(listed.module)
            if file is None or file.newest is None:
                raise OperationBroken(f"{listed.module} is gone", cause=f"it had {listed.full_name}")
            before = file.troubles
            try:
                found = getattr(self._imported(file), listed.function, None)
            finally:
                self._changes += file.troubles != before
        if not isinstance(found, Operation) or found.full_name != listed.full_name:
            raise OperationBroken(
                f"{listed.module} has no operation {listed.full_name} once it is imported",
                cause=f"{listed.function} is {found!r:.80} then; is there a decorator above @operation?",
            )
        found.folders = (str(self._folder.parent),)
        return found

    def _imported(self, file: _File) -> ModuleType:
        from clusterlib.operations.project_modules import helpers, restore_helpers, take_helpers

        again = file.newest is not None and file.newest.failure is not None
        taken = take_helpers(helpers(self._folder, self._files)) if again else {}  # the cause may be in one
        self._importing = True
        try:
            return file.imported()
        finally:
            self._importing = False
            if file.newest is not None and file.newest.failure is not None:
                restore_helpers(taken)
            self._remember_helpers()

    # -- what has changed

    def _notice(self) -> None:
        seen = dict(_states(self._folder))
        before = self._changes
        for path in [path for path in self._files if path not in seen]:
            self._drop(path)
        for path, state in seen.items():
            file = self._files.get(path)
            if file is None or file.state != state or not file.settled:
                self._read(self._files.setdefault(path, _File(Path(path))), state)
        if any(file.good or (file.newest and file.newest.module) for file in self._files.values()):
            self._renew_helpers()
        if self._changes != before:
            self._memory.write()

    def _drop(self, path: str) -> None:
        from clusterlib.operations.project_modules import forget

        file = self._files.pop(path)
        forget(file.path)
        self._memory.forget(file.path)
        self._changes += 1

    def _read(self, file: _File, state: State) -> None:
        settled = _is_settled(state)
        try:
            text = file.path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            text, entry = "", FileListing((), (SourceTrouble(str(file.path), 1, f"cannot be read: {error}"),))
        else:
            if file.newest is not None and file.newest.text == text and file.state:
                file.state, file.settled = state, settled
                return
            entry = self._memory.entry(file.path, list(state), text)
        file.state, file.settled = state, settled
        self._changes += 1  # also if Ctrl-C ends the import
        file.renew(_Version(file.path, text, entry))
        if file.newest is not None and file.newest.module is not None:
            self._remember_helpers()

    # -- the modules beside them, which they import

    def _renew_helpers(self) -> None:
        """If one has changed, the operations that have been imported are imported anew, with it."""
        from clusterlib.operations.project_modules import helpers, restore_helpers, take_helpers

        self._remember_helpers()
        found = helpers(self._folder, self._files)
        seen = {name: self._helpers[name].now(one.file) for name, one in found.items()}
        if all(one.source == self._helpers[name].source for name, one in seen.items()):
            self._helpers |= seen
            return
        taken = take_helpers(found)
        renewed = [
            one
            for one in self._files.values()
            if one.newest is not None and (one.newest.module or one.newest.failure)
        ]
        self._changes += 1
        try:
            for file in renewed:
                assert file.newest is not None
                listing = FileListing(file.newest.operations, file.newest.mistakes)
                file.renew(_Version(file.path, file.newest.text, listing))
        except KeyboardInterrupt:  # the next look does it again
            restore_helpers(taken)
            raise
        if any(file.used is not file.newest for file in renewed):
            restore_helpers(taken)
        self._helpers |= seen

    def _remember_helpers(self) -> None:
        from clusterlib.operations.project_modules import helpers

        for name, one in helpers(self._folder, self._files).items():
            if name not in self._helpers:
                source = _source_of(one.file) if one.source is None else one.source
                self._helpers[name] = _SeenHelper((), source, settled=False)


@cache
def sources_of(project: Path) -> ProjectSources:
    return ProjectSources(project)


def _states(folder: Path) -> list[tuple[str, State]]:
    """The files with operations, in the order of their names."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for one in entries:
                if one.name.endswith(".py") and one.name[0] not in "_.":
                    with contextlib.suppress(OSError):
                        found.append((one.path, _state_of(one.stat())))
    except OSError:
        return []
    return sorted(found)


def _state(file: Path) -> State:
    try:
        return _state_of(file.stat())
    except OSError:
        return ()


def _is_settled(state: State) -> bool:
    # Times of files are those of this clock, so the comparison needs no other one.
    return not state or time.time_ns() - state[0] > SETTLED_SECONDS * 1e9


def _source_of(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def _state_of(seen: os.stat_result) -> State:
    return (seen.st_mtime_ns, seen.st_size, seen.st_ino, seen.st_ctime_ns)


# -- what is wrong


def _failed(file: Path, error: BaseException) -> OperationBroken:
    return OperationBroken(
        f"{file} cannot be imported", cause=f"{type(error).__name__}: {error}", evidence=_where(error)
    )


def _where(error: BaseException) -> list[str]:
    """The last lines of the traceback that are not of Python's own import."""
    from clusterlib.importing import frames_of_authors

    return [f"{one.filename}:{one.lineno}: {one.line}" for one in frames_of_authors(error)[-3:]]


def _trouble(file: Path, error: BaseException) -> SourceTrouble:
    from clusterlib.importing import frames_of_authors

    frames = frames_of_authors(error)
    if isinstance(error, SyntaxError) and error.filename:
        return SourceTrouble(error.filename, error.lineno or 0, error.msg)
    where, line = (frames[-1].filename, frames[-1].lineno or 0) if frames else (str(file), 0)
    return SourceTrouble(where, line, f"{type(error).__name__}: {error}")
