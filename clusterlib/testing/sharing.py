"""The name of the one cluster that all workers of a run share: the controller reserves it, the
workers read it."""

from __future__ import annotations

from pathlib import Path

from clusterlib.evidence.artifacts import RECORDS
from clusterlib.leases.naming import Reservation, reserve_name

__all__ = ["read_name", "reserve_for_all"]

FILE = "shared-name"
"""Beside the records, which are removed when the next run claims the folder: its workers must not
read the name of this one."""


def reserve_for_all(project: Path, folder: Path) -> Reservation:
    """Reserved until the result is closed or its process ends."""
    reservation = reserve_name(project)
    RECORDS.write_part(folder, FILE, reservation.name)
    return reservation


def read_name(folder: Path) -> str:
    """The reserved name; empty as long as there is none."""
    try:
        return (RECORDS.in_(folder) / FILE).read_text()
    except FileNotFoundError:
        return ""
