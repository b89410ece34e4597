"""Where the evidence of a run lies if nobody names a folder. It is asked at the start of every parallel run of tests, so this
imports nothing."""

from __future__ import annotations

from pathlib import Path

__all__ = ["REPORTS"]

REPORTS = Path(".clusterlib", "reports")
"""Below the project; a folder for each run, and a link to the latest."""
