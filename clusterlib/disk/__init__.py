"""Digests of the files that nodes are made of, as they are on disk now."""
