"""What a test says that has no cluster, and whether it runs at all. For pytest and for unittest,
which runs without pytest."""

from __future__ import annotations

import os

from clusterlib.evidence.redaction import redactor_for
from clusterlib.leases.lease import Unserved

__all__ = ["is_skipped_by_unittest", "reason_of"]


def reason_of(unserved: Unserved, *, brief: bool) -> str:
    """The whole error, or one line of it, without secrets: a terminal is read by many in CI."""
    error = unserved.error
    text = f"no cluster: {error.problem} [{error.code}]" if brief else str(error)
    return redactor_for((), os.environ).text(text)


def is_skipped_by_unittest(*declared: object) -> bool:
    """Whether a test, or the class around it, has the mark of `@unittest.skip`."""
    return any(getattr(one, "__unittest_skip__", False) for one in declared)
