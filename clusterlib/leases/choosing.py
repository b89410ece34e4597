"""Which cluster serves a test: one that the pool keeps, the running one or a new one; or why the
test gets none.

`choose` is a pure function: it knows no cluster, only values. The pool carries its choice out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clusterlib.errors import ClusterError, ClusterNotRunning, UsageError
from clusterlib.frozen import frozen
from clusterlib.leases.need import Need
from clusterlib.leases.situation import FailedStart, PooledFacts, Running, Wanted
from clusterlib.remedies import do

__all__ = ["Absent", "Borrow", "Choice", "LookAround", "Refuse", "Reuse", "StartNew", "choose"]


@frozen
class LookAround:
    """The choice depends on the running cluster: look at it, then choose again."""


@frozen
class Reuse:
    cluster: PooledFacts
    beside: str | None = None
    """Why the running cluster does not serve the test."""


@frozen
class Borrow:
    """The running cluster serves the test as it is."""


@frozen
class StartNew:
    nodes: int
    least: int
    """The minimum, if so many do not start."""
    base: int | None = None
    """The size for later tests that need no particular one, if it is not `nodes`."""
    beside: str | None = None
    """Why the running cluster does not serve the test."""


@frozen
class Absent:
    """No cluster may be started, and no running one serves the need."""

    nodes: int
    answers: Need | None
    """The need that is refused. None: every need of this profile, because no cluster runs."""


@frozen
class Refuse:
    error: ClusterError
    may_skip: bool = False
    because: FailedStart | Absent | None = None
    """A reason that the summary reports once, with the number of affected tests."""


Choice = LookAround | Reuse | Borrow | StartNew | Refuse


def choose(
    wanted: Wanted,
    pooled: Sequence[PooledFacts],
    failed: Sequence[FailedStart] = (),
    running: Running | None = None,
) -> Choice:
    """`pooled`: the pool's clusters of this profile, at most a borrowed one and one of its own.
    `failed`: the failed starts of this profile. `running`: None if it was not looked at yet."""
    loan, own = (
        next((one for one in pooled if one.borrowed is borrowed), None) for borrowed in (True, False)
    )
    misfit = None if loan is None else _wrong_size(loan.name, loan.nodes, loan.fewest(wanted), wanted)
    serving = own if loan is None or misfit is not None else loan
    if serving is not None:
        return _reuse(wanted, serving, failed, misfit)
    if loan is None:
        if running is None:
            return LookAround()
        misfit = _misfit(running, wanted)
        if misfit is None and running.nodes:
            return Borrow()
    if not wanted.auto:
        return _nothing_to_borrow(wanted, misfit, loan or running or Running())
    return _start(wanted, failed, misfit)


def _reuse(
    wanted: Wanted, pooled: PooledFacts, failed: Iterable[FailedStart], misfit: str | None
) -> Reuse | Refuse:
    if pooled.in_use:
        return Refuse(
            UsageError(
                f"cluster '{pooled.name}' is in use by this very test",
                cause="one test holds one cluster of a profile at a time",
                remedies=["cluster_factory()  # gives another one"],
            )
        )
    fewest = pooled.fewest(wanted)
    known = _known(failed, fewest) if fewest > pooled.nodes else None
    return Reuse(pooled, misfit) if known is None else _again(known)


def _misfit(running: Running, wanted: Wanted) -> str | None:
    if running.unlike is not None:
        return f"cluster {running.name} {running.unlike}"
    if not running.nodes:
        return None
    enough = wanted.need.size or (1 if running.any_size else wanted.count)
    return _wrong_size(running.name, running.nodes, enough, wanted)


def _wrong_size(name: str, nodes: int, enough: int, wanted: Wanted) -> str | None:
    fits = nodes == wanted.need.size if wanted.need.exact else nodes >= enough
    if fits:
        return None
    return f"cluster {name} runs with {_counted(nodes)}, tests ask for {wanted.asked}"


def _start(wanted: Wanted, failed: Sequence[FailedStart], misfit: str | None) -> StartNew | Refuse:
    nodes, least = _sizes(wanted)
    if any(one.nodes <= nodes for one in failed):
        nodes = least = wanted.least
        if (known := _known(failed, nodes)) is not None:
            return _again(known)
    return StartNew(nodes, least, wanted.count if wanted.need.exact else None, misfit)


def _sizes(wanted: Wanted) -> tuple[int, int]:
    """The number of nodes to start with, and the minimum."""
    need, to_come = wanted.need, wanted.to_come
    if need.exact:
        return need.size or 1, need.size or 1
    nodes, least = max(wanted.count, need.size or 0), wanted.least
    if to_come is not None and not to_come.exact:
        nodes, least = max(nodes, to_come.nodes), max(least, to_come.least)
    return nodes, least


def _known(failed: Iterable[FailedStart], nodes: int) -> FailedStart | None:
    """The reason why so many nodes do not start: as many or fewer have failed before."""
    return max((one for one in failed if one.nodes <= nodes), key=lambda one: one.nodes, default=None)


def _again(known: FailedStart) -> Refuse:
    return Refuse(known.error, known.may_skip, known)


def _nothing_to_borrow(wanted: Wanted, misfit: str | None, running: PooledFacts | Running) -> Refuse:
    """If no cluster runs, all tests of the profile get the same answer, with the size of the
    largest of them."""
    nodes = wanted.need.size or wanted.count
    if misfit is None and wanted.to_come is not None:
        nodes = max(nodes, wanted.to_come.nodes)
    start = do("cluster.up", profile=wanted.profile, nodes=nodes)
    error = ClusterNotRunning(
        f"no running cluster serves {wanted.asked} {'node' if nodes == 1 else 'nodes'} of profile {wanted.profile}"
        if misfit
        else f"no cluster of profile {wanted.profile} runs",
        cause="tests start none of their own: tests.auto is false",
        evidence=[misfit] if misfit else [],
        remedies=[
            do("cluster.down") + " && " + start if misfit else start,
            "CLUSTERLIB_TESTS_AUTO=true python -m pytest --distributed",
        ],
    ).of_cluster(running.name)
    return Refuse(error, wanted.may_skip, Absent(nodes, wanted.need if misfit else None))


def _counted(nodes: int) -> str:
    return f"{nodes} {'node' if nodes == 1 else 'nodes'}"
