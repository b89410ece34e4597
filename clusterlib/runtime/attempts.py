"""Connects to peers without a link: repeated attempts, with growing pauses."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from functools import partial

from clusterlib.runtime import overlay
from clusterlib.runtime.link import PeerAddress
from clusterlib.runtime.log import Log
from clusterlib.runtime.membership import Liveness, Membership
from clusterlib.runtime.network import Cancellable, NodeNetwork
from clusterlib.runtime.sessions import SecuredSession, Visit

__all__ = ["PEER_FRAME_LIMIT", "Attempts"]

PEER_FRAME_LIMIT = 8 << 20
COURTESY_SECONDS = 0.06  # where both sides want a link, the second waits this long for the first to open it
FIRST_RETRY = 0.05
LONGEST_RETRY = 0.5
VISIT_SECONDS = (
    5.0  # a peer that has just started, or is paused, answers late: its kernel keeps the connection
)
VERIFY_AFTER = 0.4  # of the detection time: a peer whose link broke and that does not answer by then is dead


class _Attempt:
    """The attempts to connect to one peer."""

    __slots__ = ("count", "deadline", "timer", "verifying", "visit")

    def __init__(self, *, verifying: bool) -> None:
        self.count = 0
        self.visit: Visit | None = None
        self.timer: Cancellable | None = None
        self.deadline: Cancellable | None = None
        self.verifying = verifying
        """The peer lived until its link broke just now. If it cannot be reached, it is dead."""

    def cancel(self) -> None:
        for handle in (self.timer, self.deadline):
            if handle is not None:
                handle.cancel()
        if self.visit is not None:
            self.visit.cancel()


class Attempts:
    """All such attempts of one node, at most one for each peer."""

    def __init__(
        self,
        network: NodeNetwork,
        name: str,
        cookie: bytes,
        membership: Membership,
        peers: Mapping[str, PeerAddress],
        detect: float,
        log: Log,
        arrived: Callable[[SecuredSession, str], None],
        dead: Callable[[str, str], None],
    ) -> None:
        """`arrived` gets a session with the peer of that name; `dead` gets the name of a peer that
        was to be verified and is gone, and the reason.
        """
        self._network = network
        self._name = name
        self._cookie = cookie
        self._membership = membership
        self._peers = peers
        self._detect = detect
        self._log = log
        self._arrived = arrived
        self._dead = dead
        self._attempts: dict[str, _Attempt] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._attempts

    def begin(self, name: str) -> None:
        """Starts attempts to connect to a peer."""
        attempt = self._attempts[name] = _Attempt(verifying=False)
        if self._name > name and overlay.mutual(self._name, name, self._membership.ring):
            attempt.timer = self._network.later(COURTESY_SECONDS, self._visit, name)
        else:
            self._visit(name)

    def verify(self, name: str) -> None:
        """Connects to a peer whose link broke: it answers soon, or it is dead."""
        self._drop(name)
        attempt = self._attempts[name] = _Attempt(verifying=True)
        attempt.deadline = self._network.later(VERIFY_AFTER * self._detect, self._unverified, name)
        self._visit(name)

    def hurry(self, name: str) -> None:
        """The peer is reported to live, so an attempt that waits is made now."""
        attempt = self._attempts.get(name)
        if attempt is not None and attempt.visit is None and attempt.count and attempt.timer is not None:
            attempt.timer.cancel()
            attempt.count = 0
            attempt.timer = self._network.later(0, self._visit, name)

    def linked(self, name: str) -> None:
        """A link exists now, opened by either side."""
        attempt = self._attempts.pop(name, None)
        if attempt is not None:
            attempt.visit = None  # it became this link, or it ends by itself as the redundant one of two
            attempt.cancel()

    def keep(self, wanted: Container[str]) -> None:
        """Stops the attempts for all other peers, except those that are being verified."""
        for name in [name for name in self._attempts if name not in wanted]:
            if not self._attempts[name].verifying:
                self._drop(name)

    def roster_changed(self) -> None:
        for name in [name for name in self._attempts if name not in self._peers]:
            self._drop(name)

    def stop(self) -> None:
        for name in list(self._attempts):
            self._drop(name)

    def failed(self, name: str, reason: str, gone: bool) -> None:
        """An attempt failed. `gone` means that nothing listens there: the process has ended."""
        attempt = self._attempts.get(name)
        if attempt is None:
            return
        if attempt.timer is not None:
            attempt.timer.cancel()
        if attempt.visit is not None:
            attempt.visit.cancel()
            attempt.visit = None
        # A single attempt may be cut short by a peer that leaves, whose goodbye is still on its way
        # to us.
        if attempt.count and not gone and self._membership.status(name) is not Liveness.DEAD:
            self._log.limited(f"visit {name}", f"no link to {name}: {reason}")
        pause = min(FIRST_RETRY * 2**attempt.count, LONGEST_RETRY)
        attempt.count = min(attempt.count + 1, 10)
        attempt.timer = self._network.later(pause, self._visit, name)
        if attempt.verifying and gone:
            attempt.verifying = False
            self._dead(name, f"its process is gone ({reason})")

    def _visit(self, name: str) -> None:
        attempt = self._attempts.get(name)
        peer = self._peers.get(name)
        if attempt is None or peer is None:
            return
        if attempt.visit is not None:
            attempt.visit.cancel()
        attempt.timer = self._network.later(VISIT_SECONDS, self.failed, name, "no answer", False)
        attempt.visit = Visit(
            self._network,
            self._cookie,
            name,
            PEER_FRAME_LIMIT,
            arrived=lambda session: self._arrived(session, name),
            failed=partial(self.failed, name),
        )
        attempt.visit.begin(peer.address, peer.port)

    def _unverified(self, name: str) -> None:
        attempt = self._attempts.get(name)
        if attempt is not None and attempt.verifying:
            attempt.verifying = False
            self._dead(name, "its link broke and it does not answer")

    def _drop(self, name: str) -> None:
        attempt = self._attempts.pop(name, None)
        if attempt is not None:
            attempt.cancel()
