"""Thin ways in: Invoke tasks. A door parses, calls an operation and prints; it decides nothing."""
