"""The fixed private folders of this user, for control sockets, locks and the registry.

Fixed, so that every process finds the same place with any TMPDIR. Private, because they give access
to processes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import stat
from pathlib import Path

from clusterlib.errors import StartError, UsageError
from clusterlib.waiting import Deadline, poll

__all__ = [
    "is_draft",
    "lock_for_us",
    "make_private",
    "open_lock",
    "read_private",
    "remove_socket",
    "runtime_dir",
    "socket_path",
    "write_private",
]

DRAFT_BYTES = 6
DRAFT = re.compile(rf"\..+\.[0-9a-f]{{{2 * DRAFT_BYTES}}}")
"""The name of a private file that is not complete yet."""
CHOSEN = "CLUSTERLIB_RUNTIME_DIR"
"""The variable that names another runtime folder.

Processes see each other's clusters only with the same folder."""
AT_HOME = ".clusterlib-run"
LONGEST_CHOSEN = 64
LOCK_SECONDS = 20.0
"""Much longer than a sweep, during which one of these locks is held."""
LONGEST_SOCKET_PATH = 100
"""sun_path has 108 bytes on Linux and 104 on macOS."""


def runtime_dir(base: Path | None = None) -> Path:
    """The private folder of this user on this machine, created if necessary.

    `base` replaces the usual places."""
    user = os.getuid()
    session = Path(f"/run/user/{user}")
    if base is not None:
        return _private(base / f"clusterlib-{user}")
    if chosen := os.environ.get(CHOSEN):
        return _chosen(chosen)
    if _is_ours(session) and os.access(session, os.W_OK | os.X_OK):
        return _private(session / "clusterlib")
    return _private(Path(f"/tmp/clusterlib-{user}"))  # noqa: S108 - private: checked below


def _chosen(name: str) -> Path:
    """The folder that the user has chosen. An existing folder is used unchanged, or refused."""
    folder = Path(name)
    if not (folder.is_absolute() and _is_short(folder)):
        raise UsageError(
            f"{CHOSEN}={name} cannot be the runtime folder",
            cause=f"it must be an absolute path of at most {LONGEST_CHOSEN} bytes: sockets in it need short paths",
            remedies=[_elsewhere(folder), f"unset {CHOSEN}"],
        )
    mode = _made_or_ours(folder, chosen=True)
    if mode & 0o777 != 0o700:
        import shlex  # not in every process that looks for the folder

        raise StartError(
            f"{folder} cannot be used: its mode is {stat.S_IMODE(mode):04o}, not 0700",
            cause=f"{CHOSEN} names it. Only the owner may have access to the runtime folder, "
            "and clusterlib does not change the mode of a folder that it did not make",
            remedies=[_below_or_elsewhere(folder), f"ls -ld {shlex.quote(name)}", f"unset {CHOSEN}"],
        )
    return folder


def _is_short(folder: Path) -> bool:
    return len(os.fsencode(folder)) <= LONGEST_CHOSEN


def _below_or_elsewhere(folder: Path) -> str:
    below = folder / f"clusterlib-{os.getuid()}"
    if _is_short(below) and _can_be_made(below):
        import shlex

        return f"export {CHOSEN}={shlex.quote(str(below))}  # a folder in it, which is made"
    return _elsewhere(folder)


def _elsewhere(refused: Path) -> str:
    """Suggests another usable place: in the user's home, unless its path is too long for
    sockets."""
    home = os.environ.get("HOME", "")
    places = [(f'"$HOME/{AT_HOME}"', Path(home, AT_HOME))] if home.startswith("/") else []
    usual = Path(f"/var/tmp/clusterlib-{os.getuid()}")  # noqa: S108 - only named; refused if it is not private
    places.append((str(usual), usual))
    able = [name for name, place in places if place != refused and _is_short(place) and _can_be_made(place)]
    return (
        f"export {CHOSEN}={(able or [name for name, _ in places])[0]}  # for every program that uses clusters"
    )


def _can_be_made(folder: Path) -> bool:
    """Whether it can be created, or exists and would not be refused."""
    if not os.path.lexists(folder):
        return os.access(folder.parent, os.W_OK | os.X_OK)
    return _is_ours(folder) and folder.lstat().st_mode & 0o777 == 0o700


def socket_path(identifier: str, folder: Path | None = None) -> Path:
    """The path of a cluster's control socket, short enough for a socket with any identifier."""
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
    """A folder with a name of ours, so we may set its mode."""
    if stat.S_IMODE(_made_or_ours(folder)) != 0o700:
        folder.chmod(0o700)
    return folder


def _made_or_ours(folder: Path, *, chosen: bool = False) -> int:
    """The mode of this folder, which is created if necessary.

    Anything that is not a folder of this user is refused."""
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            folder.chmod(0o700)  # the umask may have removed some bits
        seen = folder.lstat()
    except OSError as error:
        raise StartError(
            f"{folder} cannot be made",
            cause=f"{error.strerror}; clusters of this user keep their control sockets there",
            remedies=[f"ls -ld {folder.parent}", f"df -h {folder.parent}", _elsewhere(folder)],
        ) from error
    wrong = None
    if not stat.S_ISDIR(seen.st_mode):
        wrong = "it is a link, or not a folder"
    elif seen.st_uid != os.getuid():
        wrong = f"it belongs to user {seen.st_uid}"
    if wrong:
        undone = f"unset {CHOSEN}" if chosen else f"rm -r {folder}  # by its owner or root"
        raise StartError(
            f"{folder} cannot be used: {wrong}",
            cause="clusters of this user keep their control sockets there, so no other user may own it",
            remedies=[_elsewhere(folder), f"ls -ld {folder}", undone],
        )
    return seen.st_mode


def open_lock(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> int:
    """Opens a lock file of ours.

    Anything that is not a plain file is refused; the caller handles FileNotFoundError."""
    problem: str | None = "it is no plain file"
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in {errno.EMFILE, errno.ENFILE}:
            raise
        problem = "it is a link" if error.errno == errno.ELOOP else error.strerror
    raise StartError(
        f"{path} cannot be used as a lock: {problem}",
        cause="a file of clusterlib was replaced by something else, or may not be opened",
        remedies=[f"ls -ld {path}", f"rm -r {path}  # if nothing of yours is in it"],
    )


def lock_for_us(descriptor: int, path: Path) -> None:
    """Waits until we have the lock.

    Its holders need it only for a moment, unless they are paused: then this is an error."""
    deadline = Deadline(LOCK_SECONDS)

    def locked() -> bool:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False

    if not poll(locked, deadline):
        raise StartError(
            f"{path} was locked by another process for {deadline.seconds:g} s",
            cause="clusterlib locks it only for a moment; the process that holds it may be paused",
            remedies=[f"fuser -v {path}  # which process that is", "kill -CONT PID, or kill -KILL PID"],
        )


def remove_socket(path: Path) -> None:
    """Removes the socket of a keeper that is gone.

    Anything else with this name is not ours, and stays."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()


def read_private(path: Path, most: int) -> bytes:
    """Reads a file of ours.

    Raises OSError if there is none, and ValueError for a link, a pipe, a device, or more than
    `most` bytes, because reading one of these might never end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(f"{path} is no plain file")
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"{path} has more than {most} bytes")
    return data


def make_private(folder: Path) -> None:
    """Creates this folder and its missing parents, accessible to the owner only, with any umask."""
    try:
        folder.mkdir(mode=0o700)
    except FileNotFoundError:
        if folder.parent == folder:
            raise
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError:
        if not folder.is_dir():
            raise


def is_draft(path: Path) -> bool:
    """Whether a writer of a private file has made this file, and was killed before it was complete
    (or is about to complete it)."""
    return DRAFT.fullmatch(path.name) is not None


def write_private(path: Path, content: str | bytes, mode: int = 0o600) -> None:
    """Writes a file that only its owner can read, completely or not at all.

    Its folder is created if necessary."""
    make_private(path.parent)
    # Not the PID: threads share it, and so do processes of different PID namespaces.
    draft = path.with_name(f".{path.name}.{os.urandom(DRAFT_BYTES).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        # A path consists of bytes: those that are not UTF-8 are restored as they were.
        data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        draft.replace(path)
    except BaseException as error:
        draft.unlink(missing_ok=True)  # a full disk must not be filled further
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # Python does not set the path if a write fails
        raise
