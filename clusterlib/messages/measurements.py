"""Measurements of the nodes: what they use, and their health."""

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
    """Bytes in memory, where shared ones count in proportion; equal to rss if the system does not
    know it."""
    cpu_seconds: float
    """Processor time since it started."""
    threads: int
    descriptors: int | None
    """None if the open files may not be read."""


@frozen
class Figures:
    """The parts of a sample that are kept over time."""

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
    columns: Mapping[str, tuple[tuple[str, str], ...]]
    """By role, group and name of each check of its driver."""
    nodes: Mapping[str, Mapping[str, Finding]]
    """By node and check; a node that has not answered in time is missing."""
