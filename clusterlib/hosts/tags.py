"""A number that every process of a node wears, and by which it is known when nothing else tells whose it is.

It is the soft limit of the processor time of a realtime process (RLIMIT_RTTIME), which is without effect at this height. A
child inherits it, also one that leaves the session, clears its environment, closes all files or becomes another user, and
anybody may read it. A process that sets this limit itself loses it, and so does what `su` starts, as PAM sets all limits. Such a
process is known as long as it keeps the environment, which has the tag, too.

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
    """The tag of a node: of the cluster with this marker, and by a number of its own there."""
    return cluster_of(marker) << NODE_BITS | number % (1 << NODE_BITS)


def cluster_of(marker: str) -> int:
    """What all tags of that cluster begin with."""
    from hashlib import blake2b

    number = int.from_bytes(blake2b(marker.encode(), digest_size=8).digest(), "big")
    return LOWEST_TAG >> NODE_BITS | number % (1 << CLUSTER_BITS)


def wear(tag: int) -> None:
    """From now on this process wears the tag, and all that it starts. Where the limit is used for real, it stays as it is."""
    if sys.platform != "linux":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_RTTIME)
    free = soft == resource.RLIM_INFINITY or soft >= LOWEST_TAG
    if free and hard == resource.RLIM_INFINITY:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_RTTIME, (tag, hard))


def worn(limits: bytes) -> tuple[int, int] | None:
    """The cluster and the tag that a process wears, by its /proc/PID/limits; None where it wears none."""
    _, found, rest = limits.partition(LIMIT)
    words = rest.split(maxsplit=1)
    if not found or not words or not words[0].isdigit() or int(words[0]) < LOWEST_TAG:
        return None
    tag = int(words[0])
    return tag >> NODE_BITS, tag
