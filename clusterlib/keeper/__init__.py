"""The process that owns the nodes of one cluster."""
