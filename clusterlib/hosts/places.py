"""The fixed private places of this user: control sockets, locks, and one entry for every running cluster.

Fixed, because whoever looks must find the same place, whatever its TMPDIR says; private, because it leads to
processes."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlib.errors import StartError
from clusterlib.hosts.identity import Identity

if TYPE_CHECKING:
    from clusterlib.hosts.containment import Containment

__all__ = ["Entry", "Registry", "register", "runtime_dir", "socket_path", "unregister", "write_private"]

LONGEST_SOCKET_PATH = 100
"""sun_path has 108 bytes on Linux and 104 on macOS."""


def runtime_dir(base: Path | None = None) -> Path:
    """The private folder of this user on this machine, made if need be. `base` replaces the usual places."""
    user = os.getuid()
    session = Path(f"/run/user/{user}")
    if base is not None:
        return _private(base / f"clusterlib-{user}")
    if _is_ours(session) and os.access(session, os.W_OK | os.X_OK):
        return _private(session / "clusterlib")
    return _private(Path(f"/tmp/clusterlib-{user}"))  # noqa: S108 - private: checked below


def socket_path(identifier: str, folder: Path | None = None) -> Path:
    """Where the cluster of that identifier listens; short enough for a socket, whatever the identifier."""
    folder = folder or runtime_dir()
    path = folder / f"{identifier}.sock"
    if len(os.fsencode(path)) < LONGEST_SOCKET_PATH and "/" not in identifier:
        return path
    return folder / f"{hashlib.blake2b(identifier.encode(), digest_size=12).hexdigest()}.sock"


def _is_ours(folder: Path) -> bool:
    try:
        seen = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.getuid()


def _private(folder: Path) -> Path:
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    seen = folder.lstat()
    wrong = None
    if not stat.S_ISDIR(seen.st_mode):
        wrong = "it is a link, or not a folder"
    elif seen.st_uid != os.getuid():
        wrong = f"it belongs to user {seen.st_uid}"
    if wrong:
        raise StartError(
            f"{folder} cannot be used: {wrong}.",
            cause="clusters of this user keep their control sockets there, so nobody else may own it",
            remedies=[f"ls -ld {folder}", f"rm {folder}  # by its owner or root"],
        )
    if stat.S_IMODE(seen.st_mode) != 0o700:
        folder.chmod(0o700)
    return folder


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner reads, whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


# The clusters that run now.


@dataclass(frozen=True, slots=True)
class Entry:
    """One running cluster of this user."""

    marker: str
    identifier: str
    name: str
    project: str
    control: str
    run: str
    keeper: Identity
    guard: Identity

    def dead(self) -> bool:
        """Whether its keeper is gone. Where we cannot look (another container), its socket answers for it."""
        if self.keeper.foreign:
            return not _answers(Path(self.control))
        return not self.keeper.alive()

    @classmethod
    def from_json(cls, text: str) -> Entry:
        data: dict[str, Any] = json.loads(text)
        data["keeper"] = Identity.from_dict(data["keeper"])
        data["guard"] = Identity.from_dict(data["guard"])
        return cls(**data)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)


class Registry:
    """One file for every running cluster of this user, written by its keeper, removed by whoever buries
    it."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = (folder or runtime_dir()) / "clusters"

    def add(self, entry: Entry) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        write_private(self._path(entry.marker), entry.to_json())

    def remove(self, marker: str) -> None:
        self._path(marker).unlink(missing_ok=True)

    def entries(self) -> list[Entry]:
        """Everything registered, dead or alive. A file that makes no sense is not ours to read."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                found.append(Entry.from_json(path.read_text(encoding="utf-8")))
        return found

    def knows(self, entry: Entry) -> bool:
        return self._path(entry.marker).exists()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One sweeper at a time; the kernel frees it."""
        descriptor = os.open(
            self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _path(self, marker: str) -> Path:
        return self._folder / f"{marker}.json"


def register(
    marker: str,
    *,
    identifier: str,
    name: str,
    project: str,
    control: Path,
    run: Path,
    containment: Containment,
) -> None:
    """Called by the keeper, before it starts anything."""
    keeper, guard = (
        Identity.of(pid, proc_path=containment.proc, namespace=containment.outside)
        for pid in (containment.keeper_pid, containment.guard_pid)
    )
    if keeper is None or guard is None:
        raise StartError("The guard of this keeper is gone.", cause="it was killed while the keeper started")
    Registry().add(Entry(marker, identifier, name, project, str(control), str(run), keeper, guard))


def unregister(marker: str) -> None:
    Registry().remove(marker)


def _answers(control: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(control))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            return True  # busy, or not ours to ask: no proof of death
        return True
