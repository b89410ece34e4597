"""Copies the files of a run of a cluster: redacted, with limits, and only what is new.

It works while the cluster runs. A file that is missing, being written or disappearing is not an
error."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import astuple
from pathlib import Path
from typing import BinaryIO

from clusterlib.evidence.artifacts import (
    CLUSTERS,
    EVENTS,
    KEEPER_LOG,
    LOGS,
    MEMORY,
    OF_A_CLUSTER,
    PLAN_OF_A_CLUSTER,
    RENDERED,
    SAMPLES,
    STATE,
    Artifact,
    Cleaning,
)
from clusterlib.evidence.redaction import Redactor
from clusterlib.frozen import frozen, replace
from clusterlib.hosts.logs import STAMP_LENGTH, rotated
from clusterlib.hosts.places import is_draft, write_private
from clusterlib.rundir.folders import RunFolder

__all__ = ["Collector", "place_of"]

MOST_OF_A_LOG = 20 * 2**20
HEAD = 4 * 2**20
MOST_OF_A_CONFIG = 2**20
MOST_OF_ALL_CONFIGS = 32 * 2**20

Clean = Callable[[bytes], bytes]


@frozen
class _Seen:
    """How far a growing file has been copied."""

    device: int
    number: int
    size: int
    changed: int
    copied: int = -1
    """Bytes of whole lines; -1 where only parts were kept."""
    length: int = -1
    """The size of the copy after that. A copy of another size was written by a process that was
    killed before it could note this, or on a full disk."""


class Collector:
    """Remembers what it has copied, so that a repetition after each failing test is cheap.

    Another process does not copy the same again, either: it may not know the secrets that were
    removed."""

    def __init__(self, folder: Path, most: int = MOST_OF_A_LOG) -> None:
        self.folder = folder
        self._most = most
        self._seen: dict[Path, _Seen] = {}
        self._clean: dict[Path, Redactor] = {}
        """The secrets that were removed from the copies at each place, as far as this process
        knows."""

    def collect(self, cluster: str, run: Path, redactor: Redactor) -> Path:
        """Updates the copies of a run folder; returns their place."""
        source, target = RunFolder(run), place_of(self.folder, cluster, run)
        known = self._clean.get(target)
        if known is None or known.secrets != redactor.secrets:
            if known is None:
                _remove_drafts(target)
                self._recall(target)
            self._clean_again(target, redactor)
            self._clean[target] = redactor
        if run.is_dir():
            before = dict(self._seen)
            self._bring_up_to_date(run, source, target, redactor)
            if self._seen != before:
                self._memorise(target)
        return target

    def _bring_up_to_date(self, run: Path, source: RunFolder, target: Path, redactor: Redactor) -> None:
        for growing, artifact in (
            (source.events, EVENTS),
            (source.samples, SAMPLES),
            (source.keeper_log, KEEPER_LOG),
        ):
            self._grow(growing, artifact.in_(target), _cleaner(artifact, redactor))
        for document, artifact in ((source.plan, PLAN_OF_A_CLUSTER), (source.state, STATE)):
            self._copy(document, artifact.in_(target), _cleaner(artifact, redactor))
        left = MOST_OF_ALL_CONFIGS
        for path in _files(run / "nodes"):
            inside = path.relative_to(run / "nodes")
            if inside.parts[1:2] == ("data",) and path.suffix != ".log":
                continue  # what a server stores is neither configuration nor evidence
            if len(inside.parts) > 1:
                rendered = RENDERED.in_(target) / inside
                left -= self._copy(path, rendered, _cleaner(RENDERED, redactor), left)
            elif path.suffix == ".log":
                self._log(path, LOGS.in_(target) / path.name, _cleaner(LOGS, redactor))

    def _recall(self, place: Path) -> None:
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            for name, values in json.loads(MEMORY.in_(place).read_bytes()).items():
                self._seen[place / name] = _Seen(*(int(value) for value in values))

    def _memorise(self, place: Path) -> None:
        mine = {
            str(path.relative_to(place)): astuple(seen)
            for path, seen in self._seen.items()
            if path.is_relative_to(place)
        }
        with contextlib.suppress(OSError):
            MEMORY.write(place, json.dumps(mine))

    def _copy(self, source: Path, target: Path, clean: Clean, most: int = MOST_OF_A_CONFIG) -> int:
        """Copies a file that is replaced as a whole, if it is a text of reasonable size. A former
        copy of a file that no longer is one is removed.

        Returns its size."""
        with contextlib.suppress(OSError):
            now = source.stat()
            seen = _Seen(now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns)
            if self._seen.get(target) == seen and target.exists():
                return now.st_size
            with source.open("rb") as file:
                data = file.read(MOST_OF_A_CONFIG + 1)
            if len(data) > min(MOST_OF_A_CONFIG, most) or b"\0" in data[:4096]:
                target.unlink(missing_ok=True)
                return 0  # a database in a node's folder is not a configuration
            _write(target, clean(data))
            self._seen[target] = seen
            return len(data)
        return 0

    def _log(self, source: Path, target: Path, clean: Clean) -> None:
        """A node's log with its predecessor, as one file."""
        before = rotated(source)
        if not before.exists():
            self._grow(source, target, clean)
            return
        with contextlib.suppress(OSError):
            now, then = source.stat(), before.stat()
            seen = _Seen(now.st_dev, now.st_ino, now.st_size + then.st_size, now.st_mtime_ns)
            if self._seen.get(target) == seen and target.exists():
                return
            with before.open("rb") as first, source.open("rb") as second:
                _write_parts(target, [first, second], [then.st_size, now.st_size], self._most, clean)
            self._seen[target] = seen

    def _grow(self, source: Path, target: Path, clean: Clean) -> None:
        """A file that only grows: its new part is appended, in whole lines."""
        with contextlib.suppress(OSError), source.open("rb") as file:
            now = os.fstat(file.fileno())
            seen = self._seen.get(target)
            known = seen is not None and (seen.device, seen.number) == (now.st_dev, now.st_ino)
            if known and seen is not None and target.exists():
                if (seen.size, seen.changed) == (now.st_size, now.st_mtime_ns):
                    return
                has_new = 0 <= seen.copied <= now.st_size <= self._most
                if has_new and 0 <= seen.length <= target.stat().st_size:
                    copied = seen.copied + _append(target, seen.length, file, seen.copied, clean)
                    self._note(target, now, copied)
                    return
            if now.st_size > self._most:
                _write_parts(target, [file], [now.st_size], self._most, clean)
                self._note(target, now, -1)
                return
            data = file.read()
            ending = data.rfind(b"\n") + 1
            _write(target, clean(data))
            # An incomplete last line is shown, but copied again once it is complete.
            self._note(target, now, ending if ending == len(data) else -1)

    def _note(self, target: Path, now: os.stat_result, copied: int) -> None:
        length = target.stat().st_size
        self._seen[target] = _Seen(now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, copied, length)

    def _clean_again(self, place: Path, redactor: Redactor) -> None:
        """Removes secrets from earlier copies that have become known only now."""
        for artifact in OF_A_CLUSTER:
            clean, copy = _cleaner(artifact, redactor), artifact.in_(place)
            for path in _files(copy) if artifact.is_folder else [copy]:
                with contextlib.suppress(OSError):
                    data = path.read_bytes()
                    cleaned = clean(data)
                    if cleaned != data:
                        self._replace(place, path, cleaned)

    def _replace(self, place: Path, path: Path, cleaned: bytes) -> None:
        """Replaces a copy by a cleaner one.

        What is noted of the old one is removed first: it would be wrong after a kill in between."""
        seen = self._seen.pop(path, None)
        if seen is not None:
            self._memorise(place)
        _write(path, cleaned)
        if seen is not None:
            self._seen[path] = replace(seen, length=len(cleaned)) if seen.length >= 0 else seen


def place_of(folder: Path, cluster: str, run: Path) -> Path:
    """The place of a run's copies."""
    return CLUSTERS.in_(folder) / (cluster.replace("/", "_").lstrip(".") or "cluster") / run.name


def _files(folder: Path) -> Iterator[Path]:
    """Regular files below, without following links: a link may lead to anything, a secret
    included."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            if not name.endswith("cookie") and not path.is_symlink() and path.is_file():
                yield path


def _cleaner(artifact: Artifact, redactor: Redactor) -> Clean:
    """According to the table of artifacts."""
    match artifact.cleaning:
        case Cleaning.LINES:
            return lambda data: _lines(data, redactor.line)
        case Cleaning.DOCUMENT:
            return lambda data: _document(data, redactor)
        case Cleaning.TEXT:
            return redactor.data
        case Cleaning.SOURCE:
            return lambda data: data


def _lines(data: bytes, clean: Clean) -> bytes:
    return b"".join(clean(line) + b"\n" for line in data.splitlines())


def _document(data: bytes, redactor: Redactor) -> bytes:
    try:
        return json.dumps(redactor.value(json.loads(data)), indent=1).encode()
    except (ValueError, RecursionError):
        return redactor.data(data)


def _remove_drafts(place: Path) -> None:
    """Removes what a kill has left of an unfinished copy. Secrets that become known later would
    stay in it."""
    for path in _files(place):
        if is_draft(path):
            with contextlib.suppress(OSError):
                path.unlink()


def _append(target: Path, length: int, file: BinaryIO, offset: int, clean: Clean) -> int:
    """Appends to the first `length` bytes of the copy, completely or not at all.

    What the copy has beyond these was appended before a kill, and is appended again."""
    file.seek(offset)
    data = file.read()
    data = data[: data.rfind(b"\n") + 1]
    cleaned = clean(data)
    with target.open("r+b", buffering=0) as copy:
        copy.truncate(length)
        copy.seek(length)
        try:
            written = copy.write(cleaned)
        except OSError:
            written = 0
        if written != len(cleaned):
            copy.truncate(length)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
    return len(data)


def _write(target: Path, data: bytes) -> None:
    # As write_private does: completely or not at all, for its owner only. Bytes that are not text
    # are restored unchanged.
    write_private(target, data.decode(errors="surrogateescape"))


def _write_parts(target: Path, files: list[BinaryIO], sizes: list[int], most: int, clean: Clean) -> None:
    """The beginning and the end of a large file, or all of a small one, in whole lines, with a line
    that states what is left out."""
    total = sum(sizes)
    head = min(HEAD, most // 2)
    if total <= most:
        first, last = b"".join(file.read() for file in files), b""
    else:
        first = _read(files, sizes, 0, head)
        first = first[: first.rfind(b"\n") + 1]
        last = _read(files, sizes, total - (most - head), most - head)
        last = last[last.find(b"\n") + 1 :]
    note = b""
    if last:
        stamp = last[:STAMP_LENGTH].decode(errors="replace")
        left_out = (total - len(first) - len(last)) / 2**20
        note = f"{stamp} ... {left_out:.1f} MiB of this log are left out here ...\n".encode()
    _write(target, clean(first) + note + clean(last))


def _read(files: list[BinaryIO], sizes: list[int], offset: int, count: int) -> bytes:
    """A piece of files that follow one another."""
    found = b""
    for file, size in zip(files, sizes, strict=True):
        if offset < size and count > 0:
            file.seek(offset)
            piece = file.read(min(count, size - offset))
            found += piece
            count -= len(piece)
        offset = max(0, offset - size)
    return found
