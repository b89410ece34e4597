"""Processors and memory of this machine, and whether it is a CI machine."""
