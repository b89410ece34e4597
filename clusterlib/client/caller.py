"""The name of this process, for messages about who holds a cluster or has changed it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

__all__ = ["acting_for", "caller_name"]

_client: ContextVar[str] = ContextVar("client", default="")


@contextmanager
def acting_for(client: str) -> Iterator[None]:
    """Until the end of the block, this process does what a client of it has asked for."""
    before = _client.set(client)
    try:
        yield
    finally:
        _client.reset(before)


def caller_name() -> str:
    ours = f"pid {os.getpid()} ({Path(sys.argv[0]).name or 'python'})"
    client = _client.get()
    return f"{client}, by {ours}" if client else ours
