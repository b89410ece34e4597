"""Measures how fast clusterlib is, beside the bare minimum in the same run: `python -m bench`."""
