"""Needs that could not be served.

A failed start is not repeated: later tests get the same error at once."""

from __future__ import annotations

from clusterlib.errors import ClusterError
from clusterlib.leases.ladder import Stranded
from clusterlib.leases.lease import Unserved
from clusterlib.leases.need import Need
from clusterlib.leases.usage import FailureUsage

__all__ = ["Failures"]


class Failures:
    """`reported` gets an entry for each failure, which counts the affected tests."""

    def __init__(self, reported: list[FailureUsage]) -> None:
        self._reported = reported
        self._starts: dict[str, list[_Failure]] = {}
        self._absent: dict[tuple[str, Need | None], _Failure] = {}

    def smallest(self, profile: str) -> int | None:
        """The fewest nodes with which no cluster of this profile could be started."""
        return min((one.usage.nodes for one in self._starts.get(profile, [])), default=None)

    def remembered(self, profile: str, nodes: int) -> Unserved | None:
        """The error for a cluster of that many nodes, if as many or fewer have failed before."""
        known = [one for one in self._starts.get(profile, []) if one.usage.nodes <= nodes]
        return max(known, key=lambda one: one.usage.nodes).tell() if known else None

    def add(self, profile: str, stranded: Stranded) -> None:
        one = self._note(
            profile, stranded.nodes, stranded.error, may_skip=stranded.may_skip, attempts=stranded.attempts
        )
        self._starts.setdefault(profile, []).append(one)

    def reported_once(self, profile: str, stranded: Stranded) -> Unserved:
        """A test wanted this cluster for itself alone: its failure is reported, and does not affect
        later tests."""
        return self._note(
            profile, stranded.nodes, stranded.error, may_skip=stranded.may_skip, attempts=stranded.attempts
        ).tell()

    def absent(
        self, need: Need | None, profile: str, nodes: int, error: ClusterError, *, may_skip: bool
    ) -> Unserved:
        """No cluster may be started, and no running one serves the need, or the profile at all.

        Reported once, and checked again for each test."""
        key = profile, need
        if key not in self._absent:
            self._absent[key] = self._note(profile, nodes, error, may_skip=may_skip, attempts=0)
        return self._absent[key].tell()

    def _note(
        self, profile: str, nodes: int, error: ClusterError, *, may_skip: bool, attempts: int
    ) -> _Failure:
        usage = FailureUsage(profile, nodes, error.to_dict(), may_skip, attempts)
        self._reported.append(usage)
        return _Failure(usage, error)


class _Failure:
    def __init__(self, usage: FailureUsage, error: ClusterError) -> None:
        self.usage = usage
        self._error = error

    def tell(self) -> Unserved:
        self.usage.tests += 1
        first = self.usage.tests == 1
        return Unserved(self._error, may_skip=self.usage.may_skip, profile=self.usage.profile, first=first)
