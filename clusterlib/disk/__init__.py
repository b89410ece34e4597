"""What nodes are made of, as it is on disk now."""
