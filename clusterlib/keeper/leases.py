"""The holders of the cluster.

A lease lives as long as its connection, which the kernel closes when its holder dies."""

from __future__ import annotations

from collections.abc import Callable

from clusterlib.keeper.event_log import Tell
from clusterlib.messages.events import LeaseReleased, LeaseTaken
from clusterlib.messages.status import LeaseStatus
from clusterlib.messages.uses import LeaseEnd

__all__ = ["Leases"]


class Leases:
    def __init__(self, tell: Tell, none_left: Callable[[], None]) -> None:
        self._tell = tell
        self._none_left = none_left
        self.taken = 0
        """The number of leases that were ever taken.

        It shows whether a holder came and went meanwhile."""
        self._holders: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._holders)

    def status(self) -> tuple[LeaseStatus, ...]:
        return tuple(LeaseStatus(number, holder) for number, holder in self._holders.items())

    def take(self, holder: str) -> int:
        self.taken += 1
        self._holders[self.taken] = holder
        self._tell(LeaseTaken(holder, len(self)))
        return self.taken

    def release(self, number: int, how: LeaseEnd) -> None:
        """Releases a lease. Idempotent."""
        if number not in self._holders:
            return
        holder = self._holders.pop(number)
        self._tell(LeaseReleased(holder, how, len(self)))
        if not self._holders:
            self._none_left()
