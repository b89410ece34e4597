"""For a noxfile: `from clusterlib.nox import distributed_sessions`."""

from clusterlib.doors.nox import distributed_sessions

__all__ = ["distributed_sessions"]
