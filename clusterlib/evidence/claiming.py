"""The folder that somebody names for the evidence of a run: it belongs to one run at a time, and loses only what an earlier
one has made."""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
from pathlib import Path

from clusterlib.errors import UsageError
from clusterlib.evidence.collecting import CLUSTERS
from clusterlib.evidence.recorder import RECORDS, writers
from clusterlib.evidence.tests_junit import JUNIT, is_recorded

__all__ = ["MARK", "Claim", "claim"]

MARK = ".clusterlib-artifacts"
"""The file that says: what lies here under our names was made by a run. It also carries the lock of the run."""
MARKED = b"What lies here under these names is made by clusterlib, and cleared away by its next run.\n"
FOLDERS = (RECORDS, CLUSTERS)
FILES = ("cluster.xml", "report.html", "plan.json", "summary.json", "environment.json")


class Claim:
    """The kernel drops it with the process that holds it, whatever becomes of that."""

    def __init__(self, lock: int) -> None:
        self._lock = lock

    def close(self) -> None:
        """Idempotent."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def claim(folder: Path) -> Claim | None:
    """The folder, made if need be and empty of what an earlier run has left; None while another run writes to it.

    Raises UsageError where it cannot be made, or has something of its user's under a name of ours: that would be lost."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / MARK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise UsageError(
            f"artifacts cannot be left in {folder}",
            cause=error.strerror or str(error),
            remedies=[f"ls -ld {shlex.quote(str(folder))}"],
        ) from error
    claimed = Claim(lock)
    try:
        if not _is_free(lock) or writers(folder):
            claimed.close()
            return None
        _clear(folder, lock)
    except BaseException:
        claimed.close()
        raise
    return claimed


def _is_free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system that knows no locks
    return True


def _clear(folder: Path, mark: int) -> None:
    if os.fstat(mark).st_size == 0:
        _refuse_what_is_not_ours(folder)
        os.write(mark, MARKED)
        return
    for name in FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    if is_recorded(folder / JUNIT):
        (folder / JUNIT).unlink(missing_ok=True)


def _refuse_what_is_not_ours(folder: Path) -> None:
    found = [name for name in (*FOLDERS, *FILES) if os.path.lexists(folder / name)]
    if not found:
        return
    (folder / MARK).unlink(missing_ok=True)
    raise UsageError(
        f"{folder} has {', '.join(found)} already, which no run has made",
        cause="evidence of a run goes by these names; what has them now would be overwritten",
        remedies=[f"ls -l {shlex.quote(str(folder))}", "name a folder of its own for the artifacts"],
    )
