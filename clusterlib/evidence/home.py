"""The default folders for the evidence of runs. Their names show the order of the runs.

Used at the start of every parallel test run, so it imports nothing that takes long."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

__all__ = ["REPORTS", "next_report", "reports_of"]

REPORTS = Path(".clusterlib", "reports")
"""Below the project; a folder for each run, and a link to the latest."""

STAMP = "%Y%m%d-%H%M%S"
OUR_NAMES = re.compile(r"([0-9]{8}-[0-9]{6})-[0-9]+")
"""Any other folder there, such as a copy that a user wants to keep, is no run."""


def reports_of(project: Path) -> list[Path]:
    """The folders of all runs, the oldest first. `latest`, which is a link, is not one of them."""
    home = project / REPORTS
    try:
        names = sorted(name for name in os.listdir(home) if OUR_NAMES.fullmatch(name))  # noqa: PTH208
    except OSError:
        return []
    return [home / name for name in names if os.path.isdir(home / name) and not os.path.islink(home / name)]  # noqa: PTH112, PTH114


def next_report(project: Path) -> Path:
    """A new name: the time, or a second after the last run if the clock was set back."""
    stamp = time.strftime(STAMP, time.gmtime())
    reports = reports_of(project)
    last = reports[-1].name.rpartition("-")[0] if reports else ""
    if last >= stamp:
        stamp = _after(last) or stamp
    return project / REPORTS / f"{stamp}-{os.getpid()}"


def _after(stamp: str) -> str | None:
    """None if no time can follow it."""
    import calendar

    try:
        following = time.gmtime(calendar.timegm(time.strptime(stamp, STAMP)) + 1)
        return time.strftime(STAMP, following) if following.tm_year <= 9999 else None
    except (ValueError, OverflowError, OSError):
        return None
