"""Words of declarations that are used in more than one place."""

__all__ = ["STREAM", "WHAT_A_DRY_RUN_DOES", "WHICH_CLUSTER"]

WHICH_CLUSTER = "Name of the cluster; several can run side by side. Default: $CLUSTERLIB_NAME, else default."
STREAM = "stream"
"""The format, in the JSON schema, of a flag with which the answer is a stream without an end."""
WHAT_A_DRY_RUN_DOES = "Say what would be done, and do nothing."
