"""Errors for a node that was too late at its start, by the step that it had reached."""

from __future__ import annotations

import errno

from clusterlib.errors import NodeNotReady
from clusterlib.remedies import do
from clusterlib.waiting import Deadline

__all__ = ["not_prepared", "not_ready", "not_spawned"]


def not_prepared(name: str, deadline: Deadline, last_words: list[str]) -> NodeNotReady:
    return NodeNotReady(
        f"{name} could not start within {deadline.seconds:g} s",
        cause="what has to be done before it can start was not done by then",
        evidence=last_words,
        remedies=[do("cluster.logs", name), _more_time(deadline)],
    )


def not_spawned(name: str, deadline: Deadline) -> NodeNotReady:
    return NodeNotReady(
        f"{name} could not start within {deadline.seconds:g} s",
        cause="the process that starts nodes (the nursery) has not started it by then; it may be paused",
        remedies=["ps -eo pid,stat,args | grep 'clusterlib nursery'", _more_time(deadline)],
    )


def not_ready(name: str, deadline: Deadline, why: str, last_words: list[str]) -> NodeNotReady:
    problem = f"{name} did not become ready within {deadline.seconds:g} s"
    if trouble := _trouble_with_loopback():
        return NodeNotReady(
            problem,
            cause=f"nodes cannot reach each other: loopback is down or has no address ({trouble})",
            evidence=[why, *last_words],
            remedies=["sudo ip link set lo up", "ip address show lo", do("cluster.doctor")],
        )
    return NodeNotReady(
        problem,
        cause=why,
        evidence=last_words,
        remedies=[do("cluster.logs", name), _more_time(deadline)],
    )


def _trouble_with_loopback() -> OSError | None:
    """Checked only when a start has failed, so that successful starts do not pay for it."""
    from clusterlib.network.loopback import try_loopback

    try:
        try_loopback("127.0.0.1")
    except OSError as error:
        # Without descriptors, for example, this says nothing about the network.
        return None if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM} else error
    return None


def _more_time(deadline: Deadline) -> str:
    """For any command, an `up` or a test run: the next one uses it."""
    return f"export CLUSTERLIB_TIMEOUTS_START={max(60.0, 2 * deadline.seconds):g}"
