"""The name of the one cluster that all workers of a run share: the controller reserves it, the
workers read it."""

from __future__ import annotations

import shlex
from pathlib import Path

from clusterlib.errors import StartError
from clusterlib.evidence.artifacts import RECORDS
from clusterlib.leases.naming import Reservation, reserve_name
from clusterlib.waiting import Deadline, poll

__all__ = ["read_name", "reserve_for_all"]

NAME_SECONDS = 30.0
"""More than the controller needs to reserve a name, which it does before workers get tests."""

FILE = "shared-name"
"""Beside the records, which are removed when the next run claims the folder: its workers must not
read the name of this one."""


def reserve_for_all(project: Path, folder: Path) -> Reservation:
    """Reserved until the result is closed or its process ends."""
    reservation = reserve_name(project)
    RECORDS.write_part(folder, FILE, reservation.name)
    return reservation


def read_name(folder: Path) -> str:
    """The reserved name, as soon as there is one.

    Raises StartError if there is none in time. A worker with a cluster of its own instead would do
    what the profile excludes."""
    name = poll(lambda: _read(folder), Deadline(NAME_SECONDS))
    if not name:
        raise StartError(
            "the workers of this run cannot share a cluster",
            cause=f"its name was not in {RECORDS.in_(folder)} within {NAME_SECONDS:g} s",
            evidence=['the profile says workers = "shared" in [tests]'],
            remedies=[
                f"df -h {shlex.quote(str(folder.parent))}",
                "pytest -n 0",
                "pytest -o cluster_workers=each",
            ],
        )
    return name


def _read(folder: Path) -> str:
    try:
        return (RECORDS.in_(folder) / FILE).read_text()
    except OSError:
        return ""
