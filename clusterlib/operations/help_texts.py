"""Help that is shown in more than one place."""

__all__ = ["WHICH_CLUSTER"]

WHICH_CLUSTER = "Name of the cluster; several can run side by side. Default: $CLUSTERLIB_NAME, else default."
