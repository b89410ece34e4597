"""Connections that have proven the cookie, as the accepting or the connecting side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cached_property

from clusterlib.runtime import wire
from clusterlib.runtime.log import Log
from clusterlib.runtime.network import Cancellable, NodeNetwork
from clusterlib.runtime.pipes import Pipe
from clusterlib.runtime.wire import Buffer, FrameBuffer, HandshakeRefused, Oversized, Role

__all__ = ["Reception", "SecuredSession", "Visit"]

HANDSHAKE_SECONDS = 1.0
MOST_STRANGERS = 128


class SecuredSession:
    """A connection whose other end knows the cookie. It sends and receives frames."""

    def __init__(self, pipe: Pipe, limit: int) -> None:
        self._frames = FrameBuffer(limit)
        self.pipe = pipe
        self.other = pipe.other
        self.open = True
        self.on_frame: Callable[[int, Buffer], None] = _ignore_frame
        self.on_lost: Callable[[str], None] = _ignore_loss
        pipe.owner = self

    def send(self, kind: int, *parts: Buffer) -> None:
        size = sum(len(part) for part in parts)
        if len(parts) == 1 and size <= 4096:
            self.pipe.send(wire.frame_header(kind, size) + parts[0])
        else:
            self.pipe.send(wire.frame_header(kind, size), *parts)

    def close(self) -> None:
        """Sends what is queued and closes. `on_lost` is not called."""
        if self.open:
            self.open = False
            self.pipe.close()

    def abort(self) -> None:
        self.open = False
        self.pipe.abort()

    def buffer(self) -> memoryview:
        return self._frames.buffer()

    def filled(self, count: int) -> None:
        try:
            for kind, payload in self._frames.filled(count):
                if not self.open:
                    return
                self.on_frame(kind, payload)
        except (Oversized, HandshakeRefused) as problem:
            self.abort()
            self.on_lost(str(problem))

    def lost(self, error: OSError | None) -> None:
        self.open = False
        self.on_lost(error.strerror or str(error) if error else "")


class _Exchange:
    """The fixed-size messages of one handshake, as the owner of a pipe."""

    def __init__(self, size: int) -> None:
        self._message = bytearray(size)
        self._count = 0

    def buffer(self) -> memoryview:
        return memoryview(self._message)[self._count :]

    def filled(self, count: int) -> None:
        self._count += count
        if self._count == len(self._message):
            self.received(bytes(self._message))

    def expect(self, size: int) -> None:
        self._message = bytearray(size)
        self._count = 0

    @property
    def begun(self) -> bool:
        return self._count > 0

    def received(self, message: bytes) -> None:
        raise NotImplementedError

    def lost(self, error: OSError | None) -> None:
        raise NotImplementedError


class Reception:
    """Accepts connections. A peer without the cookie is refused, and cannot block others."""

    def __init__(
        self,
        network: NodeNetwork,
        cookie: bytes,
        name: str,
        limits: dict[Role, int],
        log: Log,
        welcome: Callable[[Role, SecuredSession], None],
    ) -> None:
        self.network = network
        self.cookie = cookie
        self.name = name
        self.limits = limits
        self.welcome = welcome
        self._log = log
        self._strangers: dict[_Stranger, Cancellable] = {}

    def accept(self, pipe: Pipe) -> None:
        stranger = _Stranger(self, pipe)
        self._strangers[stranger] = self.network.later(HANDSHAKE_SECONDS, stranger.too_slow)
        pipe.owner = stranger
        pipe.start()
        if len(self._strangers) > MOST_STRANGERS:
            self._least_worthy().refuse("too many connections wait for their handshake")

    def _least_worthy(self) -> _Stranger:
        """Of the user with the most connections, the one with the least progress; of those, the
        oldest.

        So a user who opens connections without end takes no places from others. Connections that
        have just come are spared, because they had no time to send anything.
        """
        crowd, _ = Counter(stranger.neighbour for stranger in self._strangers).most_common(1)[0]
        candidates = [stranger for stranger in self._strangers if stranger.neighbour == crowd]
        older_half = candidates[: (len(candidates) + 1) // 2]
        return min(older_half, key=lambda stranger: stranger.progress)

    def gone(self, stranger: _Stranger) -> None:
        timer = self._strangers.pop(stranger, None)
        if timer is not None:
            timer.cancel()

    def dropped(self, pipe: Pipe, reason: str) -> None:
        self._log.limited(reason, f"dropped a connection from {pipe.other}: {reason}")


class _Stranger(_Exchange):
    """A connection before its proof."""

    def __init__(self, reception: Reception, pipe: Pipe) -> None:
        super().__init__(wire.GREETING_SIZE)
        self._reception = reception
        self._pipe = pipe
        self._role: Role | None = None
        self._greeting = self._reply = b""

    @cached_property
    def neighbour(self) -> str:
        return self._pipe.neighbour()

    @property
    def progress(self) -> tuple[bool, bool]:
        """Larger if more of the handshake is done."""
        return self._role is not None, self.begun

    def received(self, message: bytes) -> None:
        reception = self._reception
        if self._role is None:
            try:
                self._role = wire.check_greeting(message)
            except HandshakeRefused as refused:
                if message.startswith(
                    wire.MAGIC
                ):  # so that a caller of another version gets the name of this version
                    self._pipe.send(wire.reply(reception.cookie, message, reception.name, 0))
                self.refuse(refused.reason)
                return
            self._greeting = message
            self._reply = wire.reply(reception.cookie, message, reception.name, reception.limits[self._role])
            self.expect(wire.PROOF_SIZE)
            self._pipe.send(self._reply)
        elif wire.is_proof(reception.cookie, self._greeting, self._reply, message):
            reception.gone(self)
            reception.welcome(self._role, SecuredSession(self._pipe, reception.limits[self._role]))
        else:
            self.refuse("its proof is wrong: its cookie differs")

    def refuse(self, reason: str) -> None:
        self._reception.gone(self)
        self._reception.dropped(self._pipe, reason)
        self._leave()

    def too_slow(self) -> None:
        self.refuse(f"no handshake within {HANDSHAKE_SECONDS:g} s")

    def lost(self, error: OSError | None) -> None:  # noqa: ARG002  how it ended does not matter
        self._reception.gone(self)
        if self.begun and self._role is None:
            self._reception.dropped(self._pipe, "it left in the middle of its greeting")
        self._leave()

    def _leave(self) -> None:
        self._pipe.close()


class Visit(_Exchange):
    """Connects to another node."""

    def __init__(
        self,
        network: NodeNetwork,
        cookie: bytes,
        name: str,
        limit: int,
        arrived: Callable[[SecuredSession], None],
        failed: Callable[[str, bool], None],
    ) -> None:
        """`failed` gets the reason, and whether nothing listens there (the process is gone)."""
        super().__init__(wire.REPLY_SIZE)
        self._network = network
        self._cookie = cookie
        self._name = name
        self._limit = limit
        self._arrived = arrived
        self._failed = failed
        self._pipe: Pipe | None = None
        self._greeting = wire.greeting(Role.PEER)
        self._give_up: Callable[[], None] = _nothing
        self.over = False

    def begin(self, address: str, port: int) -> None:
        self._give_up = self._network.dial(address, port, self._dialed)

    def cancel(self) -> None:
        """Cancels the attempt; nothing is reported any more."""
        self.over = True
        self._give_up()
        if self._pipe is not None:
            self._pipe.abort()

    def received(self, message: bytes) -> None:
        assert self._pipe is not None
        try:
            wire.check_reply(self._cookie, self._greeting, message, self._name)
        except HandshakeRefused as refused:
            if isinstance(refused, wire.CookieDiffers):
                self._pipe.send(wire.NO_PROOF)
            self._fail(refused.reason, gone=False)
            return
        self.over = True
        self._pipe.send(wire.proof(self._cookie, self._greeting, message))
        self._arrived(SecuredSession(self._pipe, self._limit))

    def lost(self, error: OSError | None) -> None:  # noqa: ARG002  how it ended does not matter
        self._fail("it closed the connection during the handshake", gone=False)

    def _dialed(self, pipe: Pipe | None, error: OSError | None) -> None:
        if pipe is None:
            self._fail(error.strerror if error and error.strerror else "no connection", gone=True)
            return
        self._pipe = pipe
        pipe.owner = self
        pipe.send(self._greeting)
        pipe.start()

    def _fail(self, reason: str, *, gone: bool) -> None:
        if not self.over:
            self.cancel()
            self._failed(reason, gone)


def _ignore_frame(kind: int, payload: Buffer) -> None:
    pass


def _ignore_loss(reason: str) -> None:
    pass


def _nothing() -> None:
    pass
