"""Why the application of a node did not start: its own mistake, or a resource that the machine
lacks."""

from __future__ import annotations

import errno
import traceback
from types import TracebackType

from clusterlib.errors import ApplicationFailed, ClusterError, StartError

__all__ = ["start_failure"]

SCARCE = frozenset(
    {errno.EAGAIN, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOBUFS}
)
"""The kernel's errors for exhausted resources.

EADDRINUSE is not among them: the ports of the node are bound before it starts, so such a port was
chosen by the application."""
NO_THREAD = "can't start new thread"
LINES = 30
INNER = ("clusterlib.runtime", "importlib")


def start_failure(name: str, target: str, error: BaseException) -> StartError:
    """The error for an application whose start raised: ApplicationFailed, unless the machine is the
    cause."""
    kind = StartError if _is_scarcity(error) else ApplicationFailed
    if isinstance(error, ClusterError):
        return kind(f"the app of {name} did not start", cause=str(error), remedies=error.remedies)
    shown = error.with_traceback(_own(error.__traceback__))
    return kind(
        f"the app of {name} did not start: {target} raised {type(error).__name__}: {error}",
        evidence="".join(traceback.format_exception(shown)).splitlines()[-LINES:],
    )


def _is_scarcity(error: BaseException) -> bool:
    """Whether the exception, or its cause, is the machine's answer to a request for an exhausted
    resource."""
    met: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in met:
        met.add(id(following))
        if isinstance(following, MemoryError) or (
            isinstance(following, OSError) and following.errno in SCARCE
        ):
            return True
        if isinstance(following, RuntimeError) and NO_THREAD in str(following):
            return True
        following = following.__cause__ or following.__context__
    return False


def _own(trace: TracebackType | None) -> TracebackType | None:
    """The frames from the first one of the user's code.

    How the node came to call it explains nothing."""
    start = trace
    while start is not None and str(start.tb_frame.f_globals.get("__name__", "")).startswith(INNER):
        start = start.tb_next
    return start or trace
