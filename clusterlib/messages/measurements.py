"""What was found out about the nodes when somebody asked: what they use, and how they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from clusterlib.frozen import frozen
from clusterlib.messages.findings import Finding

__all__ = ["Examined", "Figures", "Look", "Measured", "Sample"]


@frozen
class Sample:
    """What one or several processes use."""

    rss: int
    """Bytes in memory."""
    pss: int
    """Bytes in memory, where shared ones count in proportion; equal to rss where the system cannot tell."""
    cpu_seconds: float
    """Processor time since it started."""
    threads: int
    descriptors: int | None
    """None where the open files may not be looked at."""


@frozen
class Figures:
    """What of a sample is kept over time."""

    memory: int
    """Bytes."""
    cpu: float
    """Seconds of processor time since it started."""


@frozen
class Look:
    """A line of samples.jsonl: what the nodes used at a moment."""

    time: str
    nodes: Mapping[str, Figures] = field(default_factory=dict)
    keeper: Figures | None = None


@frozen
class Measured:
    nodes: Mapping[str, Sample]
    """By name; a node without a process is missing."""


@frozen
class Examined:
    columns: tuple[tuple[str, str], ...]
    """Group and name of each question that the driver asks."""
    nodes: Mapping[str, Mapping[str, Finding]]
    """By node and question; a node that has not answered in time is missing."""
