"""How a run uses clusters. Settings in [tests] are read from each profile for its own tests."""

from __future__ import annotations

from dataclasses import field

from clusterlib.frozen import frozen
from clusterlib.values.overrides import Overrides

__all__ = ["Settings"]


@frozen
class Settings:
    """The settings of the whole run."""

    profile: str | None = None
    """The profile of tests without one.

    None: the project's default, or that of the cluster that the run was given."""
    overrides: Overrides = field(default_factory=dict)
    """The command line, for every profile: `{"nodes.count": 5, "linger": 30.0, "tests.auto":
    False}`."""
    keep: int = 2
    """How many clusters of its own are kept at the same time; the least recently used one is closed
    first."""
    prefix: str = "pytest"
    """The names of clusters: pytest, pytest-2, …"""
    shared_name: str | None = None
    """The common name for all workers of one run, if the profile's [tests] workers is "shared"."""
