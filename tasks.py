"""What `invoke` offers in this project: the same as in any project that uses clusterlib."""

from clusterlib.invoke import namespace

__all__ = ["namespace"]
