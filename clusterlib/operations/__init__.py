"""Use cases over live clusters, one file each, with typed results."""
