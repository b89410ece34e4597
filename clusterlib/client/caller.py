"""The name of this process, for messages about who holds a cluster or has changed it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["caller_name"]


def caller_name() -> str:
    return f"pid {os.getpid()} ({Path(sys.argv[0]).name or 'python'})"
