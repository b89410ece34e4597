"""Evidence, written as it arises: one line of JSON for each record, one file for each process.

If the run is killed, everything before is on disk. Everything else in the folder is made from it,
at any time."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from clusterlib import __version__
from clusterlib.evidence.artifacts import RECORDS
from clusterlib.evidence.records import LEADER, MachineFacts, Record, Recorded, RunStarted
from clusterlib.evidence.redaction import Redactor, redactor_for
from clusterlib.machine.facts import Machine
from clusterlib.messages.event import now
from clusterlib.waiting import Deadline, poll

__all__ = ["Recorder", "read_records", "try_to_lock", "writers"]

READER_SECONDS = 5.0
"""How long a writer tries to lock its file. Only readers can have it, each for a moment."""


class Recorder:
    """Appends records to `<folder>/records/<worker>.jsonl`. A full disk loses evidence, but does
    not affect the run.

    Secrets are removed before anything is written, because the folder may be shown to others.

    It holds a lock on its file as long as it lives, which the kernel frees in any case. So a reader
    can distinguish a run that goes on from one that was killed."""

    def __init__(self, folder: Path, worker: str = LEADER, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.worker = worker
        self.lost = 0
        """Records that could not be written."""
        self._environ = os.environ if environ is None else environ
        self._runs: set[Path] = set()
        self._redactor: Redactor | None = None
        self._torn = b""
        self._file = -1
        with contextlib.suppress(OSError):
            self._file = _open_private(RECORDS.make(folder), f"{_plain(worker)}.jsonl")
            self._torn = _unfinished(self._file)

    def __call__(self, what: Recorded) -> Record[Recorded]:
        """Writes one record at once."""
        record = Record(now(), self.worker, what)
        try:
            line = self._torn + self._redacted(record) + b"\n"
            self._torn = b"" if os.write(self._file, line) == len(line) else b"\n"
        except (OSError, ValueError, TypeError):  # the last two: a value that JSON does not know
            self._torn = b"\n"
        if self._torn:
            self.lost += 1
        return record

    def begin(self, project: Path, machine: Machine) -> None:
        """The first record: what this run is."""
        self(
            RunStarted(
                tuple(sys.argv),
                str(project),
                platform.python_version(),
                __version__,
                MachineFacts.of(machine),
            )
        )

    def _redacted(self, record: Record[Recorded]) -> bytes:
        runs = {Path(used.run) for used in record.what.used() if used.run}
        if self._redactor is None or not runs <= self._runs:
            self._runs |= runs
            self._redactor = redactor_for(self._runs, self._environ)
        return self._redactor.line(json.dumps(record.to_dict()).encode())

    def close(self) -> None:
        """Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def read_records(folder: Path) -> list[Record[Recorded]]:
    """The records of all workers by time.

    A line that was cut short is left out, and damages no other."""
    found: list[Record[Recorded]] = []
    for path in _files(folder):
        with contextlib.suppress(OSError):
            found += _parsed(path.read_bytes().splitlines(), path.stem)
    found.sort(key=lambda record: record.time)
    return found


def _parsed(lines: Iterable[bytes], worker: str) -> Iterator[Record[Recorded]]:
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            record = Record.of(json.loads(line), worker)
            if record is not None:
                yield record


def writers(folder: Path) -> frozenset[str]:
    """The workers that are still there to write records: each holds the lock of its file."""
    return frozenset(path.stem for path in _files(folder) if _is_locked(path))


def _files(folder: Path) -> list[Path]:
    return sorted(RECORDS.in_(folder).glob("*.jsonl"))


def _is_locked(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # other readers do not disturb
    except BlockingIOError:
        return True
    except OSError:
        return False  # a file system without locks
    finally:
        os.close(file)
    return False


def _open_private(folder: Path, name: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    file = os.open(folder / name, flags, 0o600)
    poll(lambda: try_to_lock(file), Deadline(READER_SECONDS))
    return file


def try_to_lock(file: int) -> bool:
    """Tries to lock the file for a writer, also on a file system that has no locks. A reader that
    looks at this moment has it for microseconds."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks
    return True


def _unfinished(file: int) -> bytes:
    """What ends the line that a killed predecessor left unfinished."""
    size = os.fstat(file).st_size
    return b"\n" if size and os.pread(file, 1, size - 1) != b"\n" else b""


def _plain(worker: str) -> str:
    """A worker's name as the name of a file."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in worker).lstrip(".") or LEADER
