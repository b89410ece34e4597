"""An error as a value: for records, events, and what processes send each other."""

from __future__ import annotations

from clusterlib.errors import ClusterError
from clusterlib.frozen import frozen

__all__ = ["RecordedError"]


@frozen
class RecordedError:
    code: str = ClusterError.code
    problem: str = "it failed"
    cause: str | None = None
    evidence: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()

    @staticmethod
    def of(error: ClusterError) -> RecordedError:
        """Its remedies are texts, as records and reports have them."""
        remedies = tuple(map(str, error.remedies))
        return RecordedError(error.code, error.problem, error.cause, error.evidence, remedies)

    def restored(self) -> ClusterError:
        """The error again, of the class that has its code."""
        return ClusterError.from_dict(
            {
                "code": self.code,
                "problem": self.problem,
                "cause": self.cause,
                "evidence": self.evidence,
                "remedies": self.remedies,
            }
        )
