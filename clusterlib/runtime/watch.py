"""Decides when silence means death: a failure detector without a clock of its own.

A watched node sends heartbeats. Silence first makes it a suspect, which it can contradict over any
path; only later silence means death. A watcher that was late itself (an overloaded machine, a
stopped process) must not accuse: it adds its own delay to the limits of all that it watches, and
stays lenient for a while."""

from __future__ import annotations

from collections.abc import Iterable

from clusterlib.runtime.membership import Liveness

__all__ = ["PeerWatch"]

SUSPECT_AFTER = 0.6  # of the detection time
DEAD_AFTER = 0.9
BEATS = 4  # heartbeats in the detection time
TOLERATED_LAG = 0.02  # seconds; every event loop is late by a little
LENIENT_SECONDS = 3.0


class PeerWatch:
    """The nodes that one node watches, and when each was last heard."""

    def __init__(self, detect: float) -> None:
        self.detect = detect
        self.interval = detect / BEATS
        self._heard: dict[str, float] = {}
        self._suspected: set[str] = set()
        self._grace = 0.0
        self._grace_until = 0.0

    def __contains__(self, name: str) -> bool:
        return name in self._heard

    def set(self, names: Iterable[str], now: float) -> None:
        """Watches exactly these nodes; new ones count as just heard."""
        self._heard = {name: self._heard.get(name, now) for name in names}
        self._suspected &= self._heard.keys()

    def heard(self, name: str, now: float) -> None:
        if name in self._heard:
            self._heard[name] = now
            self._suspected.discard(name)

    def was_late(self, lag: float, now: float) -> None:
        """This node itself did nothing for `lag` seconds longer than intended."""
        if now >= self._grace_until:
            self._grace = 0.0
        if lag <= TOLERATED_LAG:
            return
        for name, last in self._heard.items():
            self._heard[name] = min(now, last + lag)
        self._grace = max(self._grace, min(lag, 2 * self.detect))
        self._grace_until = now + LENIENT_SECONDS

    def verdicts(self, now: float) -> list[tuple[str, Liveness]]:
        """The nodes to accuse, each once, and of what."""
        found = []
        for name, last in self._heard.items():
            silence = now - last - self._grace
            if silence >= DEAD_AFTER * self.detect:
                found.append((name, Liveness.DEAD))
            elif silence >= SUSPECT_AFTER * self.detect and name not in self._suspected:
                self._suspected.add(name)
                found.append((name, Liveness.SUSPECT))
        return found

    def next_verdict(self) -> float:
        """When the next accusation is due if nothing more is heard; infinity if no node is
        watched.
        """
        due = float("inf")
        for name, last in self._heard.items():
            after = DEAD_AFTER if name in self._suspected else SUSPECT_AFTER
            due = min(due, last + self._grace + after * self.detect)
        return due
