"""The standard streams of a process that was started with some of them closed."""

from __future__ import annotations

import os

__all__ = ["open_standard_streams"]


def open_standard_streams() -> None:
    """Opens /dev/null for each closed one.

    Otherwise the next file would get its number, and be used in its place."""
    if all(_is_open(number) for number in (0, 1, 2)):
        return
    while (descriptor := os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
