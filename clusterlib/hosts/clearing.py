"""Empties a folder of ours, and nothing outside of it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

__all__ = ["empty_folder"]

MOUNTS = Path("/proc/self/mountinfo")
MOUNT_POINT = 4
"""The index of the mount point in a line of that file."""


def empty_folder(folder: Path) -> None:
    """Removes everything in this folder, and keeps the folder. A missing folder counts as empty.

    A link is removed, its target is not. If something is mounted below the folder, nothing is
    removed, because it is not ours. Raises OSError with the name of the file that cannot be
    removed."""
    if folder.is_symlink():
        raise OSError(errno.ELOOP, "it is a link, and what it leads to is not ours", str(folder))
    if not folder.is_dir():
        return
    mounted = _mounted_below(os.path.realpath(folder))
    if mounted:
        raise OSError(errno.EBUSY, "something is mounted there", mounted[0])
    _empty(str(folder))


def _empty(top: str) -> None:
    """Works for any depth."""
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
    for folder in reversed(below):  # the content of a folder was found after the folder
        Path(folder).rmdir()


def _make_ours_to_change(folder: str) -> None:
    """A program may have made a folder read-only, for itself as well."""
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        Path(folder).chmod(0o700)


def _mounted_below(folder: str) -> list[str]:
    try:
        lines = MOUNTS.read_bytes().splitlines()
    except OSError:
        return []  # not Linux: to remove a mount point fails with an error anyway
    points = (line.split()[MOUNT_POINT].decode("unicode_escape", "surrogateescape") for line in lines)
    return [point for point in points if point.startswith(f"{folder}/")]
