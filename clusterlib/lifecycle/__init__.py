"""The life of a cluster: plan, keeper, state on disk, and the handles a client holds."""
