"""Who holds what and when it is reused: what tests need, the order that serves them with the fewest starts, the clusters
that are kept for them."""
