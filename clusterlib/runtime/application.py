"""Why the application of a node did not start: by its own doing, or for want of something that the machine should have."""

from __future__ import annotations

import errno
import traceback
from types import TracebackType

from clusterlib.errors import ApplicationFailed, ClusterError, StartError

__all__ = ["start_failure"]

SCARCE = frozenset(
    {errno.EAGAIN, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOBUFS}
)
"""What the kernel answers when it has no more of something. EADDRINUSE is not among them: the ports of the node itself are
bound before it starts, so this one is a port that the application has chosen."""
NO_THREAD = "can't start new thread"
LINES = 30
INNER = ("clusterlib.runtime", "importlib")


def start_failure(name: str, target: str, error: BaseException) -> StartError:
    """What the keeper is told of an application whose start raised: ApplicationFailed, unless the machine is to blame."""
    kind = StartError if _is_scarcity(error) else ApplicationFailed
    if isinstance(error, ClusterError):
        return kind(f"the app of {name} did not start", cause=str(error), remedies=error.remedies)
    shown = error.with_traceback(_own(error.__traceback__))
    return kind(
        f"the app of {name} did not start: {target} raised {type(error).__name__}: {error}",
        evidence="".join(traceback.format_exception(shown)).splitlines()[-LINES:],
    )


def _is_scarcity(error: BaseException) -> bool:
    """Whether it, or what led to it, is the machine's answer to somebody who wants more than there is."""
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
    """From the first frame that is the user's: how the node came to call it explains nothing."""
    start = trace
    while start is not None and str(start.tb_frame.f_globals.get("__name__", "")).startswith(INNER):
        start = start.tb_next
    return start or trace
