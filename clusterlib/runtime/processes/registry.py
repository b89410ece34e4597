"""Which process has which name, from one node's point of view.

Pure: no clock, no sockets. Claims are merged in, and claims for other nodes collect in `pending`.

All claims of a name are kept, and an end is final, so the order in which claims arrive does not
matter. The name belongs to the oldest claim that lives: the one with the lowest logical time, then
the smallest name of a node. A claim lives while its process does and its node can be reached, so
the processes of a lost node lose their names, and get them back if it returns. A node whose process
has a living claim that is not the oldest must end that process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from clusterlib.errors import UsageError
from clusterlib.frozen import frozen
from clusterlib.runtime.processes.values import ProcessId

__all__ = ["Lost", "NameClaim", "NameRegistry"]

MOST_CLAIMS = 100_000
MOST_ENDED = 10_000
"""So many ended claims are kept, so that news of them that comes late does not revive them."""


class NameClaim(NamedTuple):
    """One process' claim of a name."""

    name: str
    time: int
    """The logical time at which it was made."""
    process: ProcessId
    ended: bool = False
    will: str = ""
    """How to start the process again elsewhere if its node is lost; empty if it stays away."""

    def to_json(self) -> list[Any]:
        return [self.name, self.time, self.process.to_json(), self.ended, self.will]

    @staticmethod
    def from_json(data: Any) -> NameClaim:
        try:
            name, time, process, ended, will = data
            return NameClaim(str(name), int(time), ProcessId.from_json(process), bool(ended), str(will))
        except (TypeError, ValueError) as error:
            raise UsageError(f"{data!r} is not a claim of a name") from error


@frozen
class Lost:
    """A process of this node lost its name to an older claim, and must end."""

    process: ProcessId
    name: str
    winner: ProcessId

    @property
    def reason(self) -> str:
        return f"the name {self.name!r} belongs to {self.winner}, whose claim is older"


class NameRegistry:
    """What one node knows of all names."""

    def __init__(self, node: str, life: int, lives: Callable[[ProcessId], bool]) -> None:
        """`lives` says whether the node of a process can be reached, in the life of the id."""
        self._node = node
        self._life = life
        self.pending: dict[tuple[str, ProcessId], NameClaim] = {}
        self._lives = lives
        self._time = 0
        self._claims: dict[str, dict[ProcessId, NameClaim]] = {}
        self._mine: dict[str, set[ProcessId]] = {}
        self._ended: dict[tuple[str, ProcessId], None] = {}
        self._count = 0

    def find(self, name: str) -> ProcessId | None:
        """The process that the name belongs to, if there is one."""
        living = [claim for claim in self._claims.get(name, {}).values() if self._is_alive(claim)]
        return min(living, key=_age).process if living else None

    def names(self) -> Iterator[tuple[str, ProcessId]]:
        for name in self._claims:
            found = self.find(name)
            if found is not None:
                yield name, found

    def known(self) -> list[NameClaim]:
        """All claims, for a node that has just connected."""
        return [claim for claims in self._claims.values() for claim in claims.values()]

    def claims_of(self, name: str) -> list[NameClaim]:
        return list(self._claims.get(name, {}).values())

    def claim(self, name: str, process: ProcessId, will: str = "") -> None:
        """A process of this node takes a name."""
        self._time += 1
        self._mine.setdefault(name, set()).add(process)
        self._keep(NameClaim(name, self._time, process, will=will))

    def release(self, name: str, process: ProcessId) -> None:
        """A process of this node has ended."""
        mine = self._mine.get(name, set())
        mine.discard(process)
        if not mine:
            self._mine.pop(name, None)
        claim = self._claims.get(name, {}).get(process)
        if claim is not None and not claim.ended:
            self._keep(claim._replace(ended=True, will=""))

    def merge(self, claims: Iterable[NameClaim]) -> set[str]:
        """Merges claims of other nodes, and gives the names of those that are new."""
        changed = set()
        for claim in claims:
            self._time = max(self._time, claim.time)
            if self._is_news(claim):
                self._keep(claim)
                changed.add(claim.name)
        return changed

    def losers(self, names: Iterable[str] | None = None) -> list[Lost]:
        """The processes of this node that must end, after claims of these names, or members, have
        changed."""
        lost = []
        for name in list(self._mine) if names is None else names:
            winner = self.find(name) if name in self._mine else None
            if winner is not None:
                lost += [Lost(one, name, winner) for one in self._mine[name] if one != winner]
        return lost

    def orphans(
        self, is_lost: Callable[[ProcessId], bool], names: Iterable[str] | None = None
    ) -> list[NameClaim]:
        """The claims of lost nodes whose processes are to be started elsewhere: the last ones of
        names that belong to no process now."""
        found = []
        for name in list(self._claims) if names is None else names:
            last = max(self._claims.get(name, {}).values(), key=_age, default=None)
            if last is not None and last.will and is_lost(last.process) and self.find(name) is None:
                found.append(last)
        return found

    def forget(self, is_outdated: Callable[[ProcessId], bool]) -> None:
        """Claims that can never live again. Those that have ended are kept until they are many."""
        for claim in self.known():
            if not claim.ended and is_outdated(claim.process):
                self._remove(claim.name, claim.process)

    def take_pending(self) -> list[NameClaim]:
        claims = list(self.pending.values())
        self.pending.clear()
        return claims

    def _is_alive(self, claim: NameClaim) -> bool:
        return not claim.ended and self._lives(claim.process)

    def _keep(self, claim: NameClaim) -> None:
        of_name = self._claims.setdefault(claim.name, {})
        if claim.process not in of_name:
            if self._count >= MOST_CLAIMS:
                return
            self._count += 1
        of_name[claim.process] = claim
        self.pending[claim.name, claim.process] = claim
        if claim.ended:
            self._ended[claim.name, claim.process] = None
            if len(self._ended) > MOST_ENDED:
                oldest = next(iter(self._ended))
                del self._ended[oldest]
                self._remove(*oldest)

    def _is_news(self, claim: NameClaim) -> bool:
        known = self._claims.get(claim.name, {}).get(claim.process)
        if known is not None:
            return claim.ended and not known.ended
        is_mine = claim.process.node == self._node and claim.process.life == self._life
        return claim.ended or not is_mine

    def _remove(self, name: str, process: ProcessId) -> None:
        del self._claims[name][process]
        self.pending.pop((name, process), None)
        self._count -= 1
        if not self._claims[name]:
            del self._claims[name]


def _age(claim: NameClaim) -> tuple[int, str, int, int]:
    """The lowest is the oldest."""
    return claim.time, claim.process.node, claim.process.life, claim.process.number
