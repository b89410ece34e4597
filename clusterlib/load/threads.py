"""How many clients there can be if each is a thread."""

from __future__ import annotations

from clusterlib.errors import UsageError
from clusterlib.load.orders import LoadRequest, TargetKind
from clusterlib.remedies import do

__all__ = ["check_threads"]

MOST_THREADS = 2_000


def check_threads(request: LoadRequest, clients: int) -> None:
    """Raises UsageError if there are too many."""
    if clients <= MOST_THREADS:
        return
    of = "HTTP requests" if request.kind is TargetKind.HTTP else "a plain function"
    raise UsageError(
        f"{clients} clients are too many for {of}, because each is a thread",
        remedies=[
            do("cluster.load", request.target, clients=MOST_THREADS),
            "load a function that is a coroutine (async def)",
        ],
    )
