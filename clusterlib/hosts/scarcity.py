"""The error messages of exhausted resources: memory, disk, open files, processes, threads."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["tells_of_scarcity"]

SIGNS = re.compile(
    r"cannot allocate|\bmemoryerror\b|\bbad_alloc\b|out of memory|no space left on device|disk quota exceeded"
    r"|too many open files|resource temporarily unavailable|can't start new thread|\bsystem_limit\b"
    r"|\b(?:enomem|enospc|edquot|emfile|enfile)\b",
    re.IGNORECASE,
)


def tells_of_scarcity(lines: Iterable[str]) -> bool:
    return any(SIGNS.search(line) for line in lines)
