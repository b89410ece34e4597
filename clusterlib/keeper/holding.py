"""How long a cluster lives: as long as it has a lease, or until `down`; and what is done with it
meanwhile, and by whom."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from clusterlib.keeper.event_log import Tell
from clusterlib.keeper.leases import Leases
from clusterlib.keeper.operations import RunningOperations
from clusterlib.keeper.taint import Taint
from clusterlib.keeper.turns import Turn, Turns
from clusterlib.messages.events import ClusterLingering
from clusterlib.waiting import pause_async

__all__ = ["Holding", "Lifetime"]


class Lifetime(Protocol):
    """What it needs from the keeper: how far the cluster is, its end, and background tasks."""

    @property
    def starting(self) -> bool: ...
    @property
    def ending(self) -> bool: ...
    def shut_down(self, reason: str) -> object: ...
    def spawn(self, work: Coroutine[Any, Any, None]) -> None: ...


class Holding:
    def __init__(self, life: Lifetime, tell: Tell, linger: float, changed: Callable[[], None]) -> None:
        self.leases = Leases(tell, self._unwanted)
        self.turns = Turns(tell)
        self.taint = Taint(tell, changed)
        self.operations = RunningOperations(tell, self.taint)
        self.leased = True
        """Until its starter asks to keep it."""
        self._life = life
        self._tell = tell
        self.linger = linger
        """Seconds it lives on after its last lease."""

    def keep(self) -> None:
        """From now on the cluster lives until `down`, even without leases."""
        self.leased = False

    def abandon(self) -> None:
        """Its starter does not want it any more: it ends, unless another client holds it."""
        if not self.leases:
            self._life.shut_down("its starter does not want it any more")

    def end_turn(self, turn: Turn, dirty: str | None = None) -> None:
        """Ends a turn in order. Damage that it reports is recorded before another turn begins."""
        if dirty:
            self.taint.damaged(dirty)
        self.turns.end(turn, dirty)

    def lose_turn(self, turn: Turn) -> None:
        """Its connection ended in the middle of a turn. If the turn was exclusive, the state of the
        cluster is not trusted.

        In a shutdown all connections end, and the cluster is not used again."""
        unfinished = turn.exclusive and turn.since is not None and not self._life.ending
        self.end_turn(turn, f"{turn.holder} ended before its turn was over" if unfinished else None)

    def _unwanted(self) -> None:
        """The last lease has ended.

        A cluster that is still starting has no client left; one that is kept lives on."""
        if self._life.starting:
            self._life.shut_down("its starter is gone")
        elif self.leased and self.linger > 0:
            self._life.spawn(self._linger(self.leases.taken))
        elif self.leased:
            self._life.shut_down("the last lease was released")

    async def _linger(self, taken: int) -> None:
        """Waits for another holder.

        A holder that came and went meanwhile has started a new wait."""
        self._tell(ClusterLingering(self.linger))
        await pause_async(self.linger)
        if self.leased and not self.leases and self.leases.taken == taken:
            self._life.shut_down("no client took a lease")
