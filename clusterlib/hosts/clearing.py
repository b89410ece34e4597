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
    if folder.is_symlink():
        raise OSError(errno.ELOOP, "it is a link, and what it leads to is not ours", str(folder))
    if not folder.is_dir():
        return
    mounted = _mounted_below(os.path.realpath(folder))
    if mounted:
        raise OSError(errno.EBUSY, "something is mounted there", mounted[0])
    _empty(str(folder))


def _empty(top: str) -> None:
    """However deep it is nested."""
    below: list[str] = []
    unseen = [top]
    while unseen:
        with os.scandir(unseen.pop()) as entries:
            found = list(entries)
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                _make_ours_to_change(entry.path)
                below.append(entry.path)
                unseen.append(entry.path)
            else:
                Path(entry.path).unlink()
    for folder in reversed(below):  # what lies in a folder was found after it
        Path(folder).rmdir()


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
