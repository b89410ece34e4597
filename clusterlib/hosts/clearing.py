"""Emptying a folder that is ours, and nothing beyond it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

__all__ = ["empty_folder"]

MOUNTS = Path("/proc/self/mountinfo")
MOUNT_POINT = 4
"""Which word of a line of that file is the folder that something is mounted at."""


def empty_folder(folder: Path) -> None:
    """Removes all that is in this folder, and keeps the folder. One that is not there is empty.

    A link is removed, what it leads to is not. Where something is mounted below it, nothing is removed: it is not ours.
    Raises OSError with the name of what cannot be removed."""
    if not folder.is_dir():
        return
    mounted = _mounted_below(os.path.realpath(folder))
    if mounted:
        raise OSError(errno.EBUSY, "something is mounted there", mounted[0])
    _empty(str(folder))


def _empty(folder: str) -> None:
    with os.scandir(folder) as entries:
        found = list(entries)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            _make_ours_to_change(entry.path)
            _empty(entry.path)
            Path(entry.path).rmdir()
        else:
            Path(entry.path).unlink()


def _make_ours_to_change(folder: str) -> None:
    """A program may have made a folder read-only, for itself as for others."""
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        Path(folder).chmod(0o700)


def _mounted_below(folder: str) -> list[str]:
    try:
        lines = MOUNTS.read_bytes().splitlines()
    except OSError:
        return []  # not Linux: what is mounted there cannot be removed anyway, and says so
    points = (line.split()[MOUNT_POINT].decode("unicode_escape", "surrogateescape") for line in lines)
    return [point for point in points if point.startswith(f"{folder}/")]
