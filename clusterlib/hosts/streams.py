"""The three standard streams of a process that was started with some of them closed."""

from __future__ import annotations

import os

__all__ = ["open_standard_streams"]


def open_standard_streams() -> None:
    """Gives /dev/null to each that is closed: else what is opened next has its number, and is taken for it."""
    while (descriptor := os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
