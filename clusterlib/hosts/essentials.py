"""Checks for things that every machine has, but a bare container or chroot may lack, before
anything is started."""

from __future__ import annotations

import os
import stat
import sys

from clusterlib.errors import StartError

__all__ = ["check_essentials"]


def check_essentials() -> None:
    """Raises StartError if /proc or /dev/null is missing."""
    if sys.platform == "linux" and not os.path.exists("/proc/self/stat"):  # noqa: PTH110 - twice as fast
        raise StartError(
            "there is no /proc here",
            cause="clusterlib needs /proc to recognise its own processes",
            remedies=["sudo mount -t proc proc /proc", "ls -ld /proc"],
        )
    try:
        seen = os.stat(os.devnull)  # noqa: PTH116 - twice as fast
        problem = None if stat.S_ISCHR(seen.st_mode) else "it is no device"
    except OSError as error:
        problem = error.strerror
    if problem:
        raise StartError(
            f"{os.devnull} cannot be used",
            cause=f"{problem}; processes get it in place of a terminal",
            remedies=[f"sudo mknod -m 666 {os.devnull} c 1 3", f"ls -l {os.devnull}"],
        )
