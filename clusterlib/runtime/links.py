"""Keeps a node linked to its neighbours, and sends news and heartbeats over the links.

The rules are pure and in other modules: which nodes to link to (`overlay`), which nodes live
(`membership`), when silence means death (`watch`). This module applies them to connections and the
clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from clusterlib.runtime import overlay
from clusterlib.runtime.attempts import Attempts
from clusterlib.runtime.link import PeerAddress, PeerLink, decode, encode, read_hello, read_news
from clusterlib.runtime.log import Log
from clusterlib.runtime.membership import Liveness, Membership, News
from clusterlib.runtime.network import NodeNetwork
from clusterlib.runtime.sessions import SecuredSession
from clusterlib.runtime.watch import PeerWatch
from clusterlib.runtime.wire import Buffer, FrameKind, HandshakeRefused

__all__ = ["Links"]

BATCH_SECONDS = 0.005  # news is sent at once when little happens, and in batches when much happens


class Links:
    """All links of one node."""

    def __init__(
        self,
        network: NodeNetwork,
        name: str,
        cookie: bytes,
        membership: Membership,
        peers: Mapping[str, PeerAddress],
        detect: float,
        log: Log,
        view_changed: Callable[[], None],
    ) -> None:
        self.links: dict[str, PeerLink] = {}
        self.frames: dict[int, Callable[[str, Buffer], None]] = {}
        """Handlers for further kinds of frames (from 64 up), called with the peer's name and the
        payload.
        """
        self.linked: Callable[[str], None] = _nothing
        """Called with the name of each node that there is a new link to."""
        self._wanted: set[str] = set()
        """Nodes beyond the overlay that messages are for."""
        self._network = network
        self._name = name
        self._membership = membership
        self._peers = peers
        self._watch = PeerWatch(detect)
        self._detect = detect
        self._log = log
        self._view_changed = view_changed
        self._life = membership.incarnation
        self._attempts = Attempts(
            network,
            name,
            cookie,
            membership,
            peers,
            detect,
            log,
            arrived=self._greet,
            dead=self._verified_dead,
        )
        self._greetings: set[SecuredSession] = set()
        """Connections on which this node has sent its name, and not yet received the other's."""
        self._reach: set[str] = set()
        self._version = -1
        self._review_due = self._spread_due = False
        self._spread_last = self._beat_last = self._tick_planned = 0.0
        self._death_last = 0.0
        self._deaths = 0
        """How many nodes died, each soon after the previous one."""
        self._audit_until = 0.0
        self._alone_since: float | None = None
        self._over = False

    # -- the life of the whole --------------------------------------------------------------------

    def start(self) -> None:
        self._membership.changed = self._heard_of
        self.roster_changed()
        self._tick_planned = self._network.now()
        self._tick()

    def roster_changed(self) -> None:
        """The list of peers has changed."""
        self._reach = overlay.links_of(self._name, self._membership.ring)
        for name in [name for name in self.links if name not in self._peers]:
            self._part(self.links[name])
        self._attempts.roster_changed()
        self._settle()
        self._review_soon()

    def leave(self) -> None:
        """Announces that this node leaves, and closes all links."""
        self._membership.leave()
        farewell = [news for news in self._membership.known() if news.name == self._name]
        self._spread()
        for session in self._greetings:  # the other end may already consider the link open
            session.send(FrameKind.NEWS, encode(farewell))
            session.send(FrameKind.BYE)
            session.close()
        self._over = True
        for link in list(self.links.values()):
            self._part(link)
        self.stop()

    def stop(self) -> None:
        self._over = True
        self._attempts.stop()

    def accept(self, session: SecuredSession) -> None:
        """A peer has proven that it knows the cookie."""
        self._greet(session, None)

    def tell(self, peer: str, kind: int, payload: bytes) -> bool:
        """Sends a frame to a neighbour; False if there is no link to it."""
        link = self.links.get(peer)
        if link is None:
            return False
        self._send(link, kind, payload)
        return True

    def reach(self, peer: str) -> None:
        """Opens a link to any node of the cluster, which stays while that node lives."""
        if peer not in self._wanted:
            self._wanted.add(peer)
            self._review_soon()

    # -- opening links ----------------------------------------------------------------------------

    def _review_soon(self) -> None:
        if not self._review_due:
            self._review_due = True
            self._network.soon(self._review)

    def _review(self) -> None:
        """Adjusts links, attempts and watching to the present state."""
        self._review_due = False
        if self._over:
            return
        now = self._network.now()
        membership = self._membership
        audit = now < self._audit_until
        watched = set(
            overlay.watched_by(
                self._name, membership.ring, membership.lives, more=self._deaths if audit else 0
            )
        )
        if audit:
            watched |= {name for name in self.links if membership.lives(name)}
        self._watch.set(watched, now)
        wanted = {
            name
            for name in self._reach | watched | self._wanted
            if name in self._peers and membership.status(name) is not Liveness.LEFT
        }
        for name in wanted:
            if name not in self.links and name not in self._attempts:
                self._attempts.begin(name)
        self._attempts.keep(wanted)
        for link in list(self.links.values()):
            if link.watched != (link.peer in watched):
                link.watched = not link.watched
                self._send(link, FrameKind.WATCH if link.watched else FrameKind.UNWATCH)
            if link.peer not in wanted and link.initiator == self._name and not link.watches:
                self._part(link)

    def _greet(self, session: SecuredSession, name: str | None) -> None:
        """Sends this node's name and what it knows.

        `name` is the peer that it connected to, None if the peer connected.
        """
        news = self._membership.known()
        session.on_frame = partial(self._greeted, session, name, {item.name: item.rank for item in news})
        session.on_lost = partial(self._lost_before_greeting, session, name)
        self._greetings.add(session)
        session.send(FrameKind.HELLO, encode({"name": self._name, "life": self._life, "news": news}))

    def _lost_before_greeting(self, session: SecuredSession, name: str | None, reason: str) -> None:
        self._greetings.discard(session)
        if name is not None:
            self._attempts.failed(name, reason or "it closed the connection", False)

    def _greeted(
        self,
        session: SecuredSession,
        called: str | None,
        known: dict[str, tuple[int, int]],
        kind: int,
        payload: Buffer,
    ) -> None:
        if kind != FrameKind.HELLO:
            raise HandshakeRefused("it did not say its name first")
        peer, life, news = read_hello(payload)
        self._greetings.discard(session)
        if self._over or peer == self._name:
            session.abort()
            return
        link = PeerLink(peer, life, self._name if called else peer, session)
        link.known = known
        old = self.links.get(peer)
        if old is not None and self._prefers(old, link):
            session.send(FrameKind.BYE)
            session.close()
            return
        if old is not None:
            self._part(old)
        self._link(link, news)

    @staticmethod
    def _prefers(old: PeerLink, new: PeerLink) -> bool:
        """Of two links between the same two processes, both ends keep the one that the smaller name
        opened.
        """
        return old.life == new.life and old.initiator != new.initiator and old.initiator < new.initiator

    def _link(self, link: PeerLink, news: list[News]) -> None:
        self._attempts.linked(link.peer)
        self.links[link.peer] = link
        link.session.on_frame = partial(self._frame, link)
        link.session.on_lost = partial(self._lost, link)
        self._take(link, news)
        self._tell(link, self._membership.known())  # news since the greeting
        self._review_soon()
        self.linked(link.peer)

    # -- what comes over links --------------------------------------------------------------------

    def _frame(self, link: PeerLink, kind: int, payload: Buffer) -> None:
        self._watch.heard(link.peer, self._network.now())
        if kind == FrameKind.BEAT:
            return
        if kind == FrameKind.NEWS:
            self._take(link, read_news(decode(payload)))
        elif kind == FrameKind.WATCH:
            link.watches = True
            self._send(link, FrameKind.BEAT)
        elif kind == FrameKind.UNWATCH:
            link.watches = False
            self._review_soon()
        elif kind == FrameKind.BYE:
            self._unlink(link)
            link.session.close()
        elif kind in self.frames:
            self.frames[kind](link.peer, payload)

    def _take(self, link: PeerLink, news: list[News]) -> None:
        for item in news:
            if link.known.get(item.name, (-1, 0)) < item.rank:
                link.known[item.name] = item.rank
        self._membership.merge(news)
        self._settle()

    def _lost(self, link: PeerLink, reason: str) -> None:  # noqa: ARG002  a broken link is a broken link
        self._unlink(link)
        if self._over or link.peer not in self._peers or not self._membership.lives(link.peer):
            return
        self._attempts.verify(link.peer)

    def _unlink(self, link: PeerLink) -> None:
        if self.links.get(link.peer) is link:
            del self.links[link.peer]
            self._review_soon()

    def _part(self, link: PeerLink) -> None:
        """Closes a link on purpose, so that the peer does not suspect a failure."""
        self._unlink(link)
        link.session.send(FrameKind.BYE)
        link.session.close()

    def _send(self, link: PeerLink, kind: int, payload: bytes = b"") -> None:
        link.spoke = self._network.now()
        link.session.send(kind, payload)

    # -- news -------------------------------------------------------------------------------------

    def _heard_of(self, news: News) -> None:
        """The state of another node has changed."""
        now = self._network.now()
        link = self.links.get(news.name)
        if news.status == Liveness.ALIVE:
            self._watch.heard(news.name, now)  # it contradicted, so it lives, even if its link is silent
            if link is not None:
                link.condemned = 0.0
            self._attempts.hurry(news.name)
        elif news.status == Liveness.DEAD:
            if link is not None:
                link.condemned = now + self._detect  # until then it may still carry the news to its subject
            recent = now - self._death_last < 2 * self._detect
            self._deaths = self._deaths + 1 if recent else 1
            self._death_last = now
            if self._deaths > 1:  # several at once may be a partition: check who else is silent
                self._audit_until = now + 2 * self._detect

    def _accuse(self, name: str, status: Liveness, why: str) -> None:
        if status == Liveness.DEAD and self._membership.lives(name):
            self._log.say(f"{name} is dead: {why}")
        self._membership.accuse(name, status)

    def _verified_dead(self, name: str, why: str) -> None:
        self._accuse(name, Liveness.DEAD, why)
        self._settle()

    def _settle(self) -> None:
        """Called after any input: sends on what is new."""
        if self._membership.pending and not self._spread_due and not self._over:
            self._spread_due = True
            due = self._spread_last + BATCH_SECONDS - self._network.now()
            if due <= 0:
                self._network.soon(self._spread)
            else:
                self._network.later(due, self._spread)
        if self._membership.version != self._version:
            self._version = self._membership.version
            self._review_soon()
            self._view_changed()

    def _spread(self) -> None:
        self._spread_due = False
        if self._over:
            return
        self._spread_last = self._network.now()
        news = self._membership.take_pending()
        for link in self.links.values():
            self._tell(link, news)

    def _tell(self, link: PeerLink, news: list[News]) -> None:
        known = link.known
        fresh = [item for item in news if known.get(item.name, (-1, 0)) < item.rank]
        if fresh:
            known.update((item.name, item.rank) for item in fresh)
            self._send(link, FrameKind.NEWS, encode(fresh))

    # -- the clock --------------------------------------------------------------------------------

    def _tick(self) -> None:
        if self._over:
            return
        now = self._network.now()
        self._watch.was_late(now - self._tick_planned, now)
        if now >= self._beat_last + self._watch.interval:
            self._beat_last = now
            self._beat(now)
        for name, status in self._watch.verdicts(now):
            self._accuse(name, status, "it is silent")
        self._give_up_links(now)
        self._check_solitude(now)
        self._settle()
        if self._audit_until and now >= self._audit_until:
            self._audit_until = 0.0
            self._review_soon()
        due = min(self._beat_last + self._watch.interval, self._watch.next_verdict())
        self._tick_planned = max(due, now + 0.005)
        self._network.later(self._tick_planned - now, self._tick)

    def _beat(self, now: float) -> None:
        quiet = now - self._watch.interval / 2
        for link in self.links.values():
            if link.watches and link.spoke < quiet:
                self._send(link, FrameKind.BEAT)

    def _give_up_links(self, now: float) -> None:
        for link in list(self.links.values()):
            if (link.condemned and now >= link.condemned) or link.session.pipe.full:
                self._unlink(link)
                link.session.abort()

    def _check_solitude(self, now: float) -> None:
        """A node that reaches no other node must not keep considering all of them alive."""
        if self.links or len(self._membership.alive()) <= 1:
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = now
        elif now - self._alone_since > self._detect:
            for name in self._membership.alive():
                if name != self._name:
                    self._accuse(name, Liveness.DEAD, "this node reaches no other node")


def _nothing(peer: str) -> None:
    pass
