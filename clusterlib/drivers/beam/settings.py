"""What a profile says about Erlang nodes, as the driver reads it from the plan."""

from __future__ import annotations

from clusterlib.frozen import frozen

__all__ = ["BeamSettings"]


@frozen
class BeamSettings:
    program: str
    applications: tuple[str, ...]
    """Started in each node once all nodes have met; with all that they need."""
    path: tuple[str, ...]
    """Folders of compiled modules, as patterns; the first ones are searched first."""
    config: tuple[str, ...]
    """Elixir's files of configuration."""
    iex: str | None
    """Elixir's shell, where nodes run Elixir."""
