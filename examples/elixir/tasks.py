from clusterlib.invoke import namespace

__all__ = ["namespace"]
