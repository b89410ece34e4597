"""Ports and addresses: which a cluster may use, and how it claims them."""
