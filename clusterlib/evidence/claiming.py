"""Claims the folder that a user names for the evidence of a run. It belongs to one run at a time,
and a run removes only files of an earlier run."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
from pathlib import Path

from clusterlib.errors import UsageError
from clusterlib.evidence.artifacts import JUNIT, MARK, OF_THE_RUN
from clusterlib.evidence.recorder import try_to_lock, writers
from clusterlib.evidence.tests_junit import is_recorded

__all__ = ["FolderClaim", "claim"]

MARKED = b"What lies here under these names is made by clusterlib, and cleared away by its next run.\n"
OURS = tuple(artifact for artifact in OF_THE_RUN if artifact not in {JUNIT, MARK})
"""Files that only our runs make. junit.xml is not one of them: it may be from pytest."""


class FolderClaim:
    """A lock on the folder. The kernel releases it when the process ends, in whatever way."""

    def __init__(self, lock: int) -> None:
        self._lock = lock

    def close(self) -> None:
        """Can be called more than once."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def claim(folder: Path) -> FolderClaim | None:
    """The folder, without the files of an earlier run. It is made if needed. None while another run
    writes to it.

    Raises UsageError if it cannot be made, written or cleared, or if it contains something of the
    user's under a name that we use, which would be lost."""
    try:
        return _claim(folder)
    except OSError as error:
        place = shlex.quote(str(folder))
        is_full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        reason = error.strerror or str(error)
        raise UsageError(
            f"artifacts cannot be left in {folder}",
            cause=f"{reason}: {error.filename}" if error.filename else reason,
            remedies=[f"df -h {place}" if is_full else f"ls -ld {place}"],
        ) from error


def _claim(folder: Path) -> FolderClaim | None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(MARK.in_(folder), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    claimed = FolderClaim(lock)
    try:
        if not try_to_lock(lock) or writers(folder):
            claimed.close()
            return None
        _clear(folder, lock)
    except BaseException:
        claimed.close()
        raise
    return claimed


def _clear(folder: Path, mark: int) -> None:
    if os.fstat(mark).st_size == 0:
        _refuse_what_is_not_ours(folder)
        os.write(mark, MARKED)
        return
    for artifact in OURS:
        if artifact.is_folder:
            shutil.rmtree(artifact.in_(folder), ignore_errors=True)
        else:
            artifact.in_(folder).unlink(missing_ok=True)
    if is_recorded(JUNIT.in_(folder)):
        JUNIT.in_(folder).unlink(missing_ok=True)


def _refuse_what_is_not_ours(folder: Path) -> None:
    found = [artifact.name for artifact in OURS if os.path.lexists(artifact.in_(folder))]
    if not found:
        return
    MARK.in_(folder).unlink(missing_ok=True)
    raise UsageError(
        f"{folder} has {', '.join(found)} already, which no run has made",
        cause="evidence of a run goes by these names; what has them now would be overwritten",
        remedies=[f"ls -l {shlex.quote(str(folder))}", "name a folder of its own for the artifacts"],
    )
