from clusterlib.doors.tasks import namespace

__all__ = ["namespace"]
