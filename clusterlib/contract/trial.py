"""One trial of a driver: which promise it has to keep, and with which cluster."""

from __future__ import annotations

from clusterlib.frozen import frozen
from clusterlib.values.overrides import Overrides

__all__ = ["ContractTrial"]


@frozen
class ContractTrial:
    """It crosses to the process that carries it out as JSON."""

    promise: str
    profile: str
    project: str
    overrides: Overrides
    waits_at: str
    """The rung at which a node without others waits."""
    alone: float
    """Seconds for which it is seen to wait."""
    folder: str
    """For the run of the cluster."""
