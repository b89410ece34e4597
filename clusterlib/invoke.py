"""For a tasks.py: `from clusterlib.invoke import namespace`."""

from clusterlib.doors.tasks import namespace

__all__ = ["namespace"]
