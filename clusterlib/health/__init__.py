"""Readiness, health and diagnosis of nodes: probes, pre-flight, the health matrix."""
