"""Clusters for tests: what tests need, the order with the fewest starts, and the clusters that are
kept and reused."""
