"""Any server program as a node, by what a profile says about it."""
