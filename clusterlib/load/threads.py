"""How many clients there can be if each is a thread."""

from __future__ import annotations

from clusterlib.errors import UsageError
from clusterlib.load.orders import LoadRequest, TargetKind
from clusterlib.remedies import do

__all__ = ["check_threads"]

MOST_THREADS = 2_000
OF = {
    TargetKind.FUNCTION: "a plain function",
    TargetKind.HTTP: "HTTP requests",
    TargetKind.COMMAND: "commands",
}


def check_threads(request: LoadRequest, clients: int) -> None:
    """Raises UsageError if there are too many."""
    if clients <= MOST_THREADS:
        return
    raise UsageError(
        f"{clients} clients are too many for {OF[request.kind]}, because each is a thread",
        remedies=[
            do("cluster.load", request.target, clients=MOST_THREADS)
            if request.kind is not TargetKind.COMMAND
            else do("cluster.load", clients=MOST_THREADS, command=[*request.words]),
            "load a function that is a coroutine (async def)",
        ],
    )
