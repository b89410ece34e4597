"""What `invoke` offers in this project: the same as in any project that uses clusterlib."""

from clusterlib.doors.tasks import namespace

__all__ = ["namespace"]
