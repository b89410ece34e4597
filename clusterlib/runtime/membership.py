"""Which nodes live, from one node's point of view.

Newer news replaces older news, and a node contradicts reports of its own death.

Pure: no clock, no sockets. News is merged in, and news for other nodes collects in `pending`.

A piece of news is (name, incarnation, status). Of two about the same node, the higher incarnation
wins; within one incarnation the worse status wins. Only the node itself raises its incarnation, to
contradict. It begins with the time of its start, so a restarted node outranks all news about its
previous process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import NamedTuple

__all__ = ["Liveness", "Membership", "News"]

MOST_STRANGERS = 4096


class Liveness(IntEnum):
    """The status of a node. Within one incarnation, the larger wins."""

    ALIVE = 0
    SUSPECT = 1
    DEAD = 2
    LEFT = 3


class News(NamedTuple):
    name: str
    incarnation: int
    status: int

    @property
    def rank(self) -> tuple[int, int]:
        return self.incarnation, self.status


class Membership:
    """What one node knows of all nodes."""

    def __init__(self, name: str, roster: Iterable[str], incarnation: int) -> None:
        self.name = name
        self.ring: list[str] = []
        self.version = 0
        self.pending: dict[str, News] = {}
        self.changed: Callable[[News], None] = _ignore
        """Called for every change of another node's status or incarnation."""
        self._table = {name: News(name, incarnation, Liveness.ALIVE)}
        self._alive: tuple[str, ...] = ()
        self._leaving = False
        self.pending[name] = self._table[name]
        self.expect(roster)

    @property
    def incarnation(self) -> int:
        return self._table[self.name].incarnation

    @property
    def complete(self) -> bool:
        """Whether all expected nodes live."""
        return len(self._alive) == len(self.ring)

    def alive(self) -> tuple[str, ...]:
        """The names of the living nodes, sorted.

        A suspect counts as living until its death is certain.
        """
        return self._alive

    def lives(self, name: str) -> bool:
        known = self._table.get(name)
        return known is not None and known.status <= Liveness.SUSPECT

    def status(self, name: str) -> Liveness | None:
        """What is known of a node; None if nothing is known."""
        known = self._table.get(name)
        return Liveness(known.status) if known is not None else None

    def known(self) -> list[News]:
        """All news, for a peer that has just connected."""
        return list(self._table.values())

    def expect(self, roster: Iterable[str]) -> None:
        """Sets the members of the cluster.

        Former members are forgotten. News about new members may already be here.
        """
        before = set(self.ring)
        self.ring = sorted(roster)
        for gone in before.difference(self.ring, (self.name,)):
            self._table.pop(gone, None)
            self.pending.pop(gone, None)
        self._recount()

    def merge(self, news: Iterable[News]) -> None:
        """Merges the news of another node."""
        for item in news:
            if item.name == self.name:
                self._contradict(item)
                continue
            known = self._table.get(item.name)
            if known is not None and item.rank <= known.rank:
                continue
            if known is None and len(self._table) >= MOST_STRANGERS + len(self.ring):
                continue
            self._table[item.name] = item
            self.pending[item.name] = item
            if known is None or (known.status <= Liveness.SUSPECT) != (item.status <= Liveness.SUSPECT):
                self._recount()
            self.changed(item)

    def accuse(self, name: str, status: Liveness) -> None:
        """This node has found `name` silent or gone."""
        known = self._table.get(name)
        if known is not None and known.status < status:
            self.merge([News(name, known.incarnation, status)])

    def leave(self) -> None:
        """This node leaves in order."""
        self._leaving = True
        self._tell_of_myself(News(self.name, self.incarnation, Liveness.LEFT))
        self._recount()

    def take_pending(self) -> list[News]:
        """News that other nodes should get now."""
        news = list(self.pending.values())
        self.pending.clear()
        return news

    def _contradict(self, rumour: News) -> None:
        mine = self._table[self.name]
        if self._leaving or rumour.rank <= mine.rank:
            return
        self._tell_of_myself(News(self.name, rumour.incarnation + 1, Liveness.ALIVE))

    def _tell_of_myself(self, news: News) -> None:
        self._table[self.name] = news
        self.pending[self.name] = news

    def _recount(self) -> None:
        alive = tuple(name for name in self.ring if self.lives(name))
        if alive != self._alive:
            self._alive = alive
            self.version += 1


def _ignore(news: News) -> None:
    pass
