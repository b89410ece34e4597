"""Any server program as a node, as its profile describes it."""
