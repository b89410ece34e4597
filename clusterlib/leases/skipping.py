"""For which errors tests may be skipped: a machine that cannot start clusters, but not a failure
that the tests should find."""

from __future__ import annotations

from clusterlib.errors import (
    ApplicationFailed,
    BuildFailed,
    ClusterError,
    CommandFailed,
    ProfileError,
    TemplateError,
    UsageError,
)

__all__ = ["FINAL", "is_skippable"]

FINAL = (UsageError, ProfileError, TemplateError, ApplicationFailed, BuildFailed)
"""Mistakes in files, and failures of the application: nothing is tried again, and the tests
fail."""
NEVER_SKIPPED = (*FINAL, CommandFailed)
"""A command of the profile may have run too early, so it is tried again.

If it still fails, this is not the machine's fault."""


def is_skippable(error: ClusterError | None, *, allowed: bool) -> bool:
    """`allowed`: the profile allows skips at all."""
    return allowed and not isinstance(error, NEVER_SKIPPED)
