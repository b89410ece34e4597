"""What doors declare for tests: the classes of tests that need a cluster, and the modules of our
fixtures. A door registers its own when it is imported.

It imports nothing: unittest runs without pytest."""

from __future__ import annotations

__all__ = ["CASES", "FIXTURE_MODULES"]

CASES: list[type] = []
"""Base classes of test cases that need a cluster."""
FIXTURE_MODULES: set[str] = set()
"""By their names, as pytest knows them of a function."""
