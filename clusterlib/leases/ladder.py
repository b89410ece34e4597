"""The ladder of fallbacks: what is tried, in the order of the profile, if a cluster does
not start."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from clusterlib.client.cluster import Cluster
from clusterlib.errors import ClusterError, KeeperLost, NotInTime, ProgramMissing, StartError
from clusterlib.evidence.records import ClusterRefused, RecordWriter
from clusterlib.frozen import frozen
from clusterlib.leases.skipping import FINAL, is_skippable
from clusterlib.leases.terms import Terms
from clusterlib.messages.recorded import RecordedError
from clusterlib.messages.uses import AfterRefusal
from clusterlib.remedies import do
from clusterlib.values.choices import Fallback
from clusterlib.waiting import Deadline, backoff, pause

__all__ = ["Climb", "Climbed", "Step", "Stranded", "explained"]

WHATEVER_THE_SIZE = (*FINAL, ProgramMissing)
MAY_PASS = (StartError, KeeperLost, NotInTime)

Diagnose = Callable[[str], Sequence[str]]


@frozen
class Step:
    """One way to start a cluster."""

    nodes: int
    simulate: bool | None = None
    """None: as the profile says."""
    fallback: Fallback | None = None
    """None: the first step."""
    wait: float = 0.0
    """Seconds before it."""


@frozen
class Climbed:
    """A step has led to a cluster."""

    cluster: Cluster
    step: Step


@frozen
class Stranded:
    """Every step has failed."""

    error: ClusterError
    """The last one."""
    nodes: int
    """The smallest number of nodes that has failed."""
    attempts: int
    may_skip: bool
    """Whether tests may be skipped for it."""


class Climb:
    """One attempt to get a cluster, with all fallbacks that the profile allows."""

    def __init__(self, terms: Terms, record: RecordWriter, diagnose: Diagnose | None = None) -> None:
        self._terms = terms
        self._record = record
        self._diagnose = diagnose

    def start(
        self, begin: Callable[[Step], Cluster], nodes: int, least: int, *, simulate: bool | None = None
    ) -> Climbed | Stranded:
        """Calls `begin` with one step after another until one returns a cluster."""
        step, attempt = Step(nodes, simulate), 1
        steps = _Steps(self._terms, least)
        while True:
            try:
                return Climbed(begin(step), step)
            except ClusterError as error:
                following = steps.after(step, error)
                skips = is_skippable(error, allowed=self._terms.may_skip)
                if following is None and not isinstance(error, FINAL):
                    error = explained(error, self._terms.profile, self._diagnose)
                self._record(
                    ClusterRefused(
                        profile=self._terms.profile,
                        nodes=step.nodes,
                        attempt=attempt,
                        error=RecordedError.of(error),
                        next=_after(following, skips=skips),
                    )
                )
                if following is None:
                    fewest = 1 if isinstance(error, WHATEVER_THE_SIZE) else step.nodes
                    return Stranded(error, nodes=fewest, attempts=attempt, may_skip=skips)
            step, attempt = following, attempt + 1
            if step.wait:
                pause(step.wait)


def _after(following: Step | None, *, skips: bool) -> AfterRefusal:
    if following is None:
        return AfterRefusal.SKIP if skips else AfterRefusal.FAIL
    return AfterRefusal.RETRY if following.fallback is None else AfterRefusal(following.fallback)


class _Steps:
    """The next steps. Each fallback is used once, in the order of the profile."""

    def __init__(self, terms: Terms, least: int) -> None:
        retry = terms.resolved.values.retry
        self._least = least
        self._simulates = terms.resolved.values.simulate
        self._can_simulate = terms.resolved.kind.simulated
        self._left = list(terms.tests.fallbacks)
        self._pauses: Iterator[float] = islice(
            backoff(retry.first, retry.factor, retry.ceiling), retry.attempts
        )
        self._patience = Deadline(terms.resolved.values.timeouts.start)
        """After an attempt that took as long as a whole start may take, no further one is made."""

    def after(self, step: Step, error: ClusterError) -> Step | None:
        if isinstance(error, FINAL):
            return None
        while self._left:
            following = self._next(self._left[0], step, error)
            if following is not None:
                return following
            self._left.pop(0)
        return None

    def _next(self, fallback: Fallback, step: Step, error: ClusterError) -> Step | None:
        may_pass = isinstance(error, MAY_PASS) and not isinstance(error, ProgramMissing)
        simulated = self._simulates if step.simulate is None else step.simulate
        if fallback is Fallback.RETRY and may_pass and not self._patience.passed:
            wait = next(self._pauses, None)
            return None if wait is None else Step(step.nodes, step.simulate, fallback, wait)
        if fallback is Fallback.SMALLER and may_pass and self._least < step.nodes:
            return Step(self._least, step.simulate, fallback)
        can_simulate = self._can_simulate and not simulated
        if fallback is Fallback.SIMULATE and isinstance(error, MAY_PASS) and can_simulate:
            return Step(step.nodes, simulate=True, fallback=fallback)
        return None


def explained(error: ClusterError, profile: str, diagnose: Diagnose | None) -> ClusterError:
    """The same error, with the findings of a check of the machine."""
    found = list(diagnose(profile)) if diagnose is not None else []
    if not found:
        return error
    return type(error)(
        error.problem,
        cause=error.cause,
        evidence=[*error.evidence, *found],
        remedies=dict.fromkeys(one.of_profile(profile) for one in (*error.remedies, do("cluster.doctor"))),
    )
