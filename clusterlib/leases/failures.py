"""Needs that could not be served.

A failed start is not repeated: later tests get the same error at once."""

from __future__ import annotations

from clusterlib.errors import ClusterError
from clusterlib.leases.choosing import Absent, Refuse
from clusterlib.leases.ladder import Stranded
from clusterlib.leases.lease import Unserved
from clusterlib.leases.need import Need
from clusterlib.leases.situation import FailedStart
from clusterlib.leases.usage import FailureUsage
from clusterlib.messages.recorded import RecordedError

__all__ = ["Failures"]


class Failures:
    """`reported` gets an entry for each failure, with the number of affected tests."""

    def __init__(self, reported: list[FailureUsage]) -> None:
        self._reported = reported
        self._starts: dict[str, list[_Failure]] = {}
        self._absent: dict[tuple[str, Need | None], _Failure] = {}

    def known(self, profile: str) -> list[FailedStart]:
        """The starts of this profile that have failed."""
        return [one.known for one in self._starts.get(profile, [])]

    def refuse(self, profile: str, refuse: Refuse) -> Unserved:
        """Counts one more refused test. Tests refused for the same reason share an entry."""
        match refuse.because:
            case FailedStart() as known:
                return next(one for one in self._starts[profile] if one.known.error is known.error).tell()
            case Absent(nodes=nodes, answers=need):
                key = profile, need
                if key not in self._absent:
                    self._absent[key] = self._note(
                        profile, nodes, refuse.error, may_skip=refuse.may_skip, attempts=0
                    )
                return self._absent[key].tell()
        return Unserved(refuse.error, may_skip=refuse.may_skip, profile=profile)

    def add(self, profile: str, stranded: Stranded) -> None:
        one = self._note(
            profile, stranded.nodes, stranded.error, may_skip=stranded.may_skip, attempts=stranded.attempts
        )
        self._starts.setdefault(profile, []).append(one)

    def reported_once(self, profile: str, stranded: Stranded) -> Unserved:
        """Reports the failure of a test that wanted this cluster for itself.

        It does not affect later tests."""
        return self._note(
            profile, stranded.nodes, stranded.error, may_skip=stranded.may_skip, attempts=stranded.attempts
        ).tell()

    def _note(
        self, profile: str, nodes: int, error: ClusterError, *, may_skip: bool, attempts: int
    ) -> _Failure:
        usage = FailureUsage(profile, nodes, RecordedError.of(error), may_skip, attempts)
        self._reported.append(usage)
        return _Failure(usage, error)


class _Failure:
    def __init__(self, usage: FailureUsage, error: ClusterError) -> None:
        self.usage = usage
        self.known = FailedStart(usage.nodes, error, usage.may_skip)

    def tell(self) -> Unserved:
        self.usage.tests += 1
        first = self.usage.tests == 1
        return Unserved(
            self.known.error, may_skip=self.usage.may_skip, profile=self.usage.profile, first=first
        )
