"""`clusterlib mcp`: gives the server the streams of the client."""

from __future__ import annotations

import os
from collections.abc import Sequence

from clusterlib.doors.mcp.allowing import allowed
from clusterlib.doors.mcp.server import ToolServer
from clusterlib.doors.mcp.session import ToolSession
from clusterlib.operations.permitting import Permissions

__all__ = ["serve"]


def serve(call: str, words: Sequence[str]) -> int:
    """`call`: what calls the program. Returns the exit code. Raises UsageError."""
    permissions = Permissions.also(allowed(call, words))
    source, sink = _own_streams()
    try:
        ToolServer(ToolSession(permissions), source, sink).serve()
    finally:
        os.close(source)
        os.close(sink)
    return 0


def _own_streams() -> tuple[int, int]:
    """What else is read or written in this process must not get into the protocol."""
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return source, sink
