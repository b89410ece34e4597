"""What rooms and processes say to each other: the plan of a cluster, the states of its nodes, events."""
