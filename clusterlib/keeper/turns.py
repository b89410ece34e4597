"""Who uses the cluster now. Turns are given in the order of requests: exclusive ones alone, shared
ones together.

A shared turn does not overtake a waiting exclusive one, so no request waits for ever."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from clusterlib.errors import ClusterBusy, ClusterError
from clusterlib.keeper.event_log import Tell
from clusterlib.messages.event import now
from clusterlib.messages.events import TurnEnded, TurnTaken
from clusterlib.messages.status import TurnStatus
from clusterlib.remedies import do

__all__ = ["Turn", "Turns"]


class Turn:
    """One use of the cluster, from its request on. Create it with `Turns.ask`."""

    def __init__(self, holder: str, *, exclusive: bool) -> None:
        self.holder = holder
        self.exclusive = exclusive
        self.since: str | None = None
        """When it began; None while it waits."""
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def __str__(self) -> str:
        return f"{self.holder} ({'exclusive' if self.exclusive else 'shared'})"


class Turns:
    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._taken: list[Turn] = []
        self._queue: deque[Turn] = deque()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def alone(self) -> str:
        """The holder of an exclusive turn, or an empty text."""
        return next((turn.holder for turn in self._taken if turn.exclusive), "")

    def status(self) -> tuple[TurnStatus, ...]:
        return tuple(TurnStatus(turn.holder, turn.exclusive, turn.since or "") for turn in self._taken)

    def ask(self, holder: str, *, exclusive: bool) -> Turn:
        """Joins the queue.

        The turn may begin at once. The caller must `end` it, even if it has not begun."""
        turn = Turn(holder, exclusive=exclusive)
        self._queue.append(turn)
        self._admit()
        return turn

    async def begin(self, turn: Turn, timeout: float | None) -> float:
        """Waits until the turn has begun, and returns how long others had the cluster.

        A turn that does not begin within `timeout` seconds, or whose wait is cancelled, ends."""
        asked, free = time.monotonic(), turn.begun.done()
        try:
            await asyncio.wait([turn.begun], timeout=timeout)
            if not turn.begun.done():
                raise self._busy(turn, timeout)
            turn.begun.result()
            return 0.0 if free else time.monotonic() - asked
        except BaseException:
            self.end(turn)
            raise

    def end(self, turn: Turn, dirty: str | None = None) -> None:
        """Ends the turn, or removes it from the queue. Idempotent."""
        if turn in self._taken:
            self._taken.remove(turn)
            self._tell(TurnEnded(turn.holder, dirty))
        elif turn in self._queue:
            self._queue.remove(turn)
            turn.begun.cancel()
        self._admit()

    def refuse(self, why: ClusterError) -> None:
        """No more turns are given; all waiting requests get the reason."""
        queue, self._queue = self._queue, deque()
        for turn in queue:
            if not turn.begun.done():
                turn.begun.set_exception(why)

    def _admit(self) -> None:
        while self._queue and self._fits(self._queue[0]):
            turn = self._queue.popleft()
            turn.since = now()
            self._taken.append(turn)
            turn.begun.set_result(None)
            self._tell(TurnTaken(turn.holder, turn.exclusive))

    def _fits(self, turn: Turn) -> bool:
        return not self._taken or not (turn.exclusive or self._taken[0].exclusive)

    def _busy(self, turn: Turn, timeout: float | None) -> ClusterBusy:
        ahead = list(self._queue)[: self._queue.index(turn)]
        return ClusterBusy(
            f"{turn.holder} did not get its turn on the cluster within {timeout or 0:g} s",
            cause="another client uses it" if self._taken else "others wait for it, too",
            evidence=[
                *(f"{taken} has it since {taken.since}" for taken in self._taken),
                *(f"{other} waits, too, and came first" for other in ahead),
            ],
            remedies=[do("cluster.status"), "give it longer: turn = 1200 in [tests] of the profile"],
        )
