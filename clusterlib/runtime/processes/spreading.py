"""What the nodes tell each other of their names and loads: what is new goes over every link, and a
node with a new link gets everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from clusterlib.runtime.links import Links
from clusterlib.runtime.network import NodeNetwork
from clusterlib.runtime.processes.courier import Courier
from clusterlib.runtime.processes.registry import NameClaim, NameRegistry
from clusterlib.runtime.processes.values import ProcessId

__all__ = ["Report", "Spreading"]

NAME_SECONDS = 0.002
"""News of names wait so long, so that many at once are one message."""
LOAD_SECONDS = 0.1
"""News of loads alone wait so long, so that short processes cost few messages."""
LARGEST = 1 << 20
"""Bytes of claims in one message, about."""
CLAIM_BYTES = 200


class Report(NamedTuple):
    """What a node has last said of itself. A later one is larger."""

    life: int
    number: int
    processes: int


class Spreading:
    """The reports of all nodes that this one knows, and the claims that it passes on."""

    def __init__(
        self,
        node: str,
        life: int,
        network: NodeNetwork,
        links: Links,
        courier: Courier,
        registry: NameRegistry,
        count: Callable[[], int],
        changed: Callable[[set[str] | None], None],
    ) -> None:
        """`count`: how many processes this node has. `changed` is called with the names that others
        have claimed or released, and with None after a node was started again."""
        self._node = node
        self._network = network
        self._links = links
        self._courier = courier
        self._registry = registry
        self._count = count
        self._changed = changed
        self._reports = {node: Report(life, 0, 0)}
        self._due = False
        self._load_due = False
        courier.verbs["news"] = self._heard

    @property
    def loads(self) -> Mapping[str, int]:
        """The number of processes by node, as far as it is known."""
        known = {node: report.processes for node, report in self._reports.items()}
        return known | {self._node: self._count()}

    def is_outdated(self, process: ProcessId) -> bool:
        """Whether the process belongs to an earlier life of its node."""
        known = self._reports.get(process.node)
        return known is not None and process.life < known.life

    def life_of(self, node: str) -> int:
        """0 if it is not known."""
        known = self._reports.get(node)
        return known.life if known is not None else 0

    def linked(self, peer: str) -> None:
        self._courier.linked(peer)
        self._tell([peer], self._registry.known())

    def inform(self, peer: str, name: str) -> None:
        """Tells one node at once what is known of a name, before anything else that it is sent."""
        self._tell([peer], self._registry.claims_of(name))

    def names_changed(self) -> None:
        if not self._due:
            self._due = True
            self._network.later(NAME_SECONDS, self.spread)

    def load_changed(self) -> None:
        if not self._load_due:
            self._load_due = True
            self._network.later(LOAD_SECONDS, self.spread)

    def spread(self) -> None:
        """Tells what is new, if anything is."""
        last = self._reports[self._node]
        news_of_load = self._load_due or last.processes != self._count()
        if last.processes != self._count():
            self._reports[self._node] = Report(last.life, last.number + 1, self._count())
        claims = self._registry.take_pending()
        self._due = self._load_due = False
        if claims or news_of_load:
            self._tell(list(self._links.links), claims)

    def _tell(self, peers: Iterable[str], claims: Iterable[NameClaim]) -> None:
        parts = list(_parts(claims)) or [[]]
        for peer in peers:
            for part in parts:
                self._courier.tell(peer, "news", part, self._reports)

    def _heard(self, claims: list[Any], reports: Mapping[str, Report]) -> None:
        unknown = Report(0, 0, 0)
        fresh = {name: one for name, one in reports.items() if one > self._reports.get(name, unknown)}
        begun_again = any(0 < self.life_of(name) < one.life for name, one in fresh.items())
        self._reports |= fresh
        names = self._registry.merge(map(NameClaim.from_json, claims))
        if begun_again or names:
            self._changed(None if begun_again else names)
        if self._registry.pending:
            self.names_changed()
        elif fresh:
            self.load_changed()


def _parts(claims: Iterable[NameClaim]) -> Iterator[list[Any]]:
    part, size = list[Any](), 0
    for claim in claims:
        part.append(claim.to_json())
        size += CLAIM_BYTES + len(claim.name) + len(claim.will)
        if size >= LARGEST:
            yield part
            part, size = [], 0
    if part:
        yield part
