"""What a driver is: everything the keeper must know about one kind of node, and nothing about any other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from clusterlib.health.probes import Rung
from clusterlib.hosts.api import Process, Spawn
from clusterlib.hosts.ports import Claim

__all__ = ["Driver", "Link", "NodeSpec"]


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One node with everything filled in: where it is, what it reads, what it is told."""

    name: str
    index: int
    address: str
    host: str
    ports: Mapping[str, int]
    directory: str
    memory: int
    environment: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "index": self.index,
            "address": self.address,
            "host": self.host,
            "ports": dict(self.ports),
            "directory": self.directory,
            "memory": self.memory,
        }


class Link(Protocol):
    """A driver's conversation with one started node."""

    @property
    def view(self) -> frozenset[str]:
        """The members this node sees alive, itself included."""

    @property
    def failure(self) -> dict[str, Any] | None:
        """The error the node reported about itself, as data; None while all is well."""

    def begin(self, process: Process, news: asyncio.Event) -> None:
        """The process runs; from now on `news` is set whenever something about the node changed."""

    def ladder(self, expected: frozenset[str]) -> list[Rung]:
        """The questions from alive to serving, when these members are expected."""

    def expect(self, roster: list[dict[str, Any]]) -> None:
        """The cluster was scaled: tells the node who belongs to it now."""

    async def ask_to_stop(self) -> bool:
        """Asks politely. False where the node has no ear for it; the keeper then goes on to SIGTERM."""

    def close(self) -> None:
        """Lets go of everything the link holds. Idempotent."""


class Driver(Protocol):
    """One kind of node."""

    @property
    def name(self) -> str: ...

    @property
    def purposes(self) -> tuple[str, ...]:
        """What each node needs ports for."""

    def order(self, node: NodeSpec, claims: Mapping[str, Claim]) -> tuple[Spawn, Link]:
        """How to start this node, and the link to talk to it once it runs."""

    def ports_stolen(self, log_tail: list[str]) -> bool:
        """Whether a node that ended did so because somebody took its port."""
