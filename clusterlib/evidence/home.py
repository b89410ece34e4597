"""The default folder for the evidence of a run.

Used at the start of every parallel test run, so it imports nothing."""

from __future__ import annotations

from pathlib import Path

__all__ = ["REPORTS"]

REPORTS = Path(".clusterlib", "reports")
"""Below the project; a folder for each run, and a link to the latest."""
