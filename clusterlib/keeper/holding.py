"""For whom the cluster lives: as long as somebody holds a lease, or until it is told to stop; and who uses it meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clusterlib.keeper.diary import Tell
from clusterlib.keeper.leases import Leases
from clusterlib.keeper.taint import Taint
from clusterlib.keeper.turns import Turn, Turns
from clusterlib.messages.events import ClusterLingering
from clusterlib.waiting import pause_async

if TYPE_CHECKING:
    from clusterlib.keeper.keeper import Keeper

__all__ = ["Holding"]


class Holding:
    def __init__(self, keeper: Keeper, tell: Tell, linger: float, changed: Callable[[], None]) -> None:
        self.leases = Leases(tell, self._unwanted)
        self.turns = Turns(tell)
        self.taint = Taint(tell, changed)
        self.held = True
        """Until whoever started it asks to keep it."""
        self._keeper = keeper
        self._tell = tell
        self.linger = linger
        """Seconds it lives on after its last lease."""

    def keep(self) -> None:
        """From now on the cluster lives until it is told to stop, whoever holds it."""
        self.held = False

    def abandon(self) -> None:
        """Whoever started it changed its mind: it ends, unless somebody else has come to hold it."""
        if not self.leases:
            self._keeper.shut_down("who started it changed its mind")

    def end_turn(self, turn: Turn, dirty: str | None = None) -> None:
        """Ends a turn in order; what it says it has spoilt is remembered before anybody else gets one."""
        if dirty:
            self.taint.spoilt(dirty)
        self.turns.end(turn, dirty)

    def lose_turn(self, turn: Turn) -> None:
        """Its connection ended. Nobody knows how far it got, so the cluster is not trusted where it had it alone.

        In a shutdown all connections end, and nobody is going to use what is left."""
        spoilt = turn.exclusive and turn.since is not None and not self._keeper.ending
        self.end_turn(turn, f"{turn.holder} was gone before its turn was over" if spoilt else None)

    def _unwanted(self) -> None:
        """The last lease is gone. A cluster that is still starting has nobody left to tell; one that is kept lives on."""
        if self._keeper.starting:
            self._keeper.shut_down("who started it is gone")
        elif self.held and self.linger > 0:
            self._keeper.spawn(self._linger(self.leases.taken))
        elif self.held:
            self._keeper.shut_down("the last lease was released")

    async def _linger(self, taken: int) -> None:
        """Waits for another holder. One that came and went meanwhile has started a wait of its own."""
        self._tell(ClusterLingering(self.linger))
        await pause_async(self.linger)
        if self.held and not self.leases and self.leases.taken == taken:
            self._keeper.shut_down("nobody came to hold it")
