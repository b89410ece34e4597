"""Log files of nodes: every line with its time, written at once, with a limited size, and without
blocking the keeper."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from clusterlib.frozen import frozen

__all__ = ["LogFollower", "LogLine", "LogWriter", "read", "tail", "unread"]

LONGEST_LINE = 64 * 1024
MAX_BYTES = 64 * 1024 * 1024
STAMP_LENGTH = len("2026-01-01T00:00:00.000000Z")
TAIL_BLOCK = 64 * 1024
MOST_UNWRITTEN = 16384


@frozen
class LogLine:
    time: datetime
    node: str
    text: str


class LogWriter:
    """Appends the output of a node to its file.

    It is the only writer of the file; the previous one is kept as `.1`."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self.problem: str | None = None
        """Why lines were lost, if any were."""
        self.lost = 0
        """Bytes that could not be written."""
        self._unwritten = b""
        """The last of them: on a full disk nothing else may be known."""
        self._max_bytes = max_bytes
        self._partial = b""
        self._torn = False
        """Whether the file ends with an incomplete line."""
        self._descriptor = -1
        self._size = 0
        self._open()

    def feed(self, data: bytes) -> None:
        """Takes a piece of output. Never raises: a full disk must not end the keeper."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        while len(self._partial) > LONGEST_LINE:
            lines.append(self._partial[:LONGEST_LINE])
            self._partial = self._partial[LONGEST_LINE:]
        if lines:
            self._write(lines)

    def flush(self) -> None:
        """Writes an incomplete line; the rest will follow it in the file."""
        if self._partial:
            beginning, self._partial = self._partial, b""
            self._append(beginning if self._torn else b"%s %s" % (_stamp().encode(), beginning))
            self._torn = True

    def tail(self, count: int, since: datetime | None = None) -> list[str]:
        """The last lines as a text, for evidence, including an incomplete line."""
        unwritten = (_parse(line, self.path.stem) for line in self._unwritten.split(b"\n"))
        known = [*tail(self.path, count), *(line for line in unwritten if line is not None)]
        lines = [line.text for line in known if since is None or line.time >= since]
        if self._partial and self._torn and lines:
            lines[-1] += _text(self._partial)
        elif self._partial:
            lines.append(_text(self._partial))
        lines = lines[-count:] if count > 0 else []
        return [*lines, f"its log is not complete: {self.problem}"] if self.problem else lines

    def close(self) -> None:
        """Writes the incomplete line. Idempotent."""
        if self._partial or self._torn:
            self._write([self._partial])
            self._partial = b""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._descriptor = os.open(self.path, flags, 0o600)
            self._size = os.fstat(self._descriptor).st_size
        except OSError as error:
            self._note(error, 0)

    def _write(self, lines: list[bytes]) -> None:
        if self._torn:
            self._torn = False
            self._append(lines.pop(0).rstrip(b"\r") + b"\n")
        stamp = _stamp().encode()
        data = b"".join(b"%s %s\n" % (stamp, piece) for line in lines for piece in _cut(line.rstrip(b"\r")))
        if self._size and self._size + len(data) > self._max_bytes:
            self._rotate()
        self._append(data)

    def _append(self, data: bytes) -> None:
        if self._descriptor < 0:
            self._open()  # the disk may have room again
        written = 0
        try:
            while self._descriptor >= 0 and written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError as error:
            self._note(error, 0)
        if written < len(data):
            self.lost += len(data) - written
            self._unwritten = (self._unwritten + data)[-MOST_UNWRITTEN:]
        self._size += written

    def _rotate(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
        self._descriptor = -1
        with contextlib.suppress(OSError):
            self.path.replace(rotated(self.path))
        self._size = 0
        self._open()

    def _note(self, error: OSError, size: int) -> None:
        self.problem = f"{error.strerror}: {self.path}"
        self.lost += size


def unread(descriptor: int) -> int:
    """The number of bytes that are in this pipe now."""
    import array  # these three would delay the start of a cluster
    import fcntl
    import termios

    waiting = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, waiting)
    return waiting[0]


def rotated(path: Path) -> Path:
    """The path of the previous file."""
    return path.with_name(f"{path.name}.1")


def read(path: Path, *, node: str | None = None, since: datetime | None = None) -> Iterator[LogLine]:
    """The lines of a log in order, including the previous file.

    `node` defaults to the name of the file."""
    name = node or path.stem
    for part in (rotated(path), path):
        try:
            with part.open("rb") as file:
                for line in file:
                    parsed = _parse(line, name)
                    if parsed is not None and (since is None or parsed.time >= since):
                        yield parsed
        except FileNotFoundError:
            continue


def tail(path: Path, count: int, *, node: str | None = None) -> list[LogLine]:
    """The last lines of a log, read from its end."""
    found: list[LogLine] = []
    for part in (path, rotated(path)):
        missing = count - len(found)
        if missing <= 0:
            break
        lines = [_parse(line, node or path.stem) for line in _last(part, missing)]
        found = [line for line in lines if line is not None] + found
    return found


class LogFollower:
    """Reads what is new in a log at each call.

    It handles rotation, and may start before the file exists."""

    def __init__(self, path: Path, *, node: str | None = None, from_start: bool = False) -> None:
        self._path = path
        self._node = node or path.stem
        self._descriptor = -1
        self._partial = b""
        self._open(at_end=not from_start)

    def new_lines(self) -> list[LogLine]:
        found: list[LogLine] = []
        if self._descriptor < 0:
            self._open(at_end=False)
        if self._descriptor >= 0:
            found += self._drain()
            if self._replaced():
                found += self._drain()  # what was written between the last read and the rotation
                self.close()
                self._open(at_end=False)
                found += self._drain()
        return found

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self, *, at_end: bool) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            if at_end:
                os.lseek(self._descriptor, 0, os.SEEK_END)

    def _replaced(self) -> bool:
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return False
        ours = os.fstat(self._descriptor)
        return (now.st_dev, now.st_ino) != (ours.st_dev, ours.st_ino)

    def _drain(self) -> list[LogLine]:
        if self._descriptor < 0:
            return []
        while data := os.read(self._descriptor, TAIL_BLOCK):
            self._partial += data
        *lines, self._partial = self._partial.split(b"\n")
        parsed = (_parse(line, self._node) for line in lines)
        return [line for line in parsed if line is not None]


def _cut(line: bytes) -> Iterator[bytes]:
    for start in range(0, max(len(line), 1), LONGEST_LINE):
        yield line[start : start + LONGEST_LINE]


def _stamp() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _text(line: bytes) -> str:
    return line.decode("utf-8", errors="replace").rstrip("\r\n")


def _parse(line: bytes, node: str) -> LogLine | None:
    """None if it is not a line of a log, such as one that was cut short by a full disk."""
    text = _text(line)
    try:
        time = datetime.fromisoformat(text[:STAMP_LENGTH])
    except ValueError:
        return None
    return LogLine(time, node, text[STAMP_LENGTH + 1 :])


def _last(path: Path, count: int) -> list[bytes]:
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            data = b""
            while end > 0 and data.count(b"\n") <= count:
                start = max(0, end - TAIL_BLOCK)
                file.seek(start)
                data = file.read(end - start) + data
                end = start
    except FileNotFoundError:
        return []
    lines = data.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    return lines[-count:]
