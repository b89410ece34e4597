"""The messages between rooms and processes: the plan of a cluster, the states of its nodes,
events."""
