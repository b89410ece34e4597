"""How this process is called where a cluster says who holds it, or who did something to it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["caller_name"]


def caller_name() -> str:
    return f"pid {os.getpid()} ({Path(sys.argv[0]).name or 'python'})"
