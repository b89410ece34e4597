"""A number on every process of a node, which identifies its node when nothing else does.

It is the soft limit of the processor time of a realtime process (RLIMIT_RTTIME), which has no
effect at this height. A child inherits it, even if it leaves the session, clears its environment,
closes all files or becomes another user, and every user may read it. A process that sets this limit
itself loses it. So does what `su` starts, because PAM sets all limits. Such a process is recognised
as long as it keeps the environment, which has the tag, too.

    1 at bit 62 | the cluster, from its marker, in 41 bits | the node, in 21 bits"""

from __future__ import annotations

import contextlib
import sys

__all__ = ["VARIABLE", "cluster_of", "new_tag", "wear", "worn"]

LOWEST_TAG = 1 << 62
"""In microseconds: 146,000 years."""
VARIABLE = "CLUSTERLIB_TAG"
NODE_BITS = 21
CLUSTER_BITS = 62 - NODE_BITS
LIMIT = b"Max realtime timeout"


def new_tag(marker: str, number: int) -> int:
    """The tag of a node: for the cluster with this marker, and with the node's number there."""
    return cluster_of(marker) << NODE_BITS | number % (1 << NODE_BITS)


def cluster_of(marker: str) -> int:
    """The common beginning of all tags of that cluster."""
    from hashlib import blake2b

    number = int.from_bytes(blake2b(marker.encode(), digest_size=8).digest(), "big")
    return LOWEST_TAG >> NODE_BITS | number % (1 << CLUSTER_BITS)


def wear(tag: int) -> None:
    """Sets the tag for this process, and for everything that it starts.

    If the limit is really used, it stays unchanged."""
    if sys.platform != "linux":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_RTTIME)
    free = soft == resource.RLIM_INFINITY or soft >= LOWEST_TAG
    if free and hard == resource.RLIM_INFINITY:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_RTTIME, (tag, hard))


def worn(limits: bytes) -> tuple[int, int] | None:
    """The cluster and the tag of a process, from its /proc/PID/limits; None if it has none."""
    _, found, rest = limits.partition(LIMIT)
    words = rest.split(maxsplit=1)
    if not found or not words or not words[0].isdigit() or int(words[0]) < LOWEST_TAG:
        return None
    tag = int(words[0])
    return tag >> NODE_BITS, tag
