"""The words among which a profile chooses."""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "AddressMode",
    "Fallback",
    "FormingOrder",
    "KeepArtifacts",
    "RestartWhen",
    "Strictness",
    "WorkerClusters",
]


class AddressMode(StrEnum):
    """How the nodes share the addresses of the machine: `[network] mode`."""

    SHARED = "shared"
    PER_NODE = "per-node"


class RestartWhen(StrEnum):
    """When an ended node is started again: `[restart] policy`."""

    NEVER = "never"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


class WorkerClusters(StrEnum):
    """The clusters of the workers of pytest-xdist: `[tests] workers`."""

    EACH = "each"
    SHARED = "shared"


class Fallback(StrEnum):
    """What may be tried if a cluster for tests does not start: `[tests] fallbacks`."""

    RETRY = "retry"
    SMALLER = "smaller"
    SIMULATE = "simulate"
    SKIP = "skip"


class Strictness(StrEnum):
    """When tests without a cluster fail instead of being skipped: `[tests] strict`."""

    CI = "ci"
    ALWAYS = "always"
    NEVER = "never"


class KeepArtifacts(StrEnum):
    """When a run of tests leaves its evidence: `[tests] artifacts`."""

    FAILURE = "failure"
    ALWAYS = "always"
    NEVER = "never"


class FormingOrder(StrEnum):
    """How the nodes of a server program start: `[start] order`."""

    TOGETHER = "together"
    SEED_FIRST = "seed first"
