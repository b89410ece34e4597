"""How a run wants its clusters. What a profile says in [tests] is read from the profile, each for its own tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from clusterlib.frozen import frozen

__all__ = ["Settings"]


@frozen
class Settings:
    """What holds for the whole run."""

    profile: str | None = None
    """The profile of tests that name none. None: the project's default, or that of the cluster the run was given."""
    overrides: Mapping[str, object] = field(default_factory=dict)
    """The command line, for every profile: `{"nodes.count": 5, "linger": 30.0, "tests.auto": False}`."""
    keep: int = 2
    """How many clusters of its own are kept at the same time; the one used longest ago is closed first."""
    prefix: str = "pytest"
    """What the clusters are called: pytest, pytest-2, …"""
    shared_name: str | None = None
    """The one name that all workers of a run agree on, where the profile's [tests] workers is "shared"."""
