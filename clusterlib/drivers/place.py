"""The address of a node, for its client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from clusterlib.frozen import frozen
from clusterlib.messages.plan import CodeSources
from clusterlib.messages.status import NodeStatus

__all__ = ["Place"]


@frozen
class Place:
    """The address of a node, and what is needed to connect to it."""

    name: str
    cluster: str
    driver: str
    cookie_file: Path
    sources: CodeSources
    """The code of the nodes."""
    status: Callable[[], NodeStatus]
    """Requests the node's present status from the keeper."""
    look: Callable[[BaseException | None], Sequence[str]]
    """Called when a call is abandoned, with None at its time-out, else with the interrupting
    exception. Returns evidence."""
