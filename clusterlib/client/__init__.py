"""The user's process: plans, starts, joins and ends clusters, with handles for clusters and
nodes."""
