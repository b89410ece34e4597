"""Embedded nodes: processes of this Python that run the project's own code."""
