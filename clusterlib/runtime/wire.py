"""The protocol between nodes and clients: a handshake of fixed-size messages, then frames.

The handshake is a mutual challenge. The codes include the role of their sender, so no message can
be reflected. Nothing of variable length is read before both sides have proven that they know the
cookie.

    caller   -> greeting  (40 bytes)   magic, version, role, nonce
    answerer -> reply     (96 bytes)   magic, version, role, nonce, who it is, its frame limit,
                                       code over both messages
    caller   -> proof     (32 bytes)   code over both messages

Then come frames of a four-byte length, a one-byte kind and the payload. The bytes after the
handshake are neither encrypted nor signed: the runtime is for loopback and private networks."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
import struct
from collections.abc import Iterator
from enum import IntEnum

from clusterlib.errors import UsageError

__all__ = [
    "CALL_SECONDS",
    "GREETING_SIZE",
    "NO_PROOF",
    "PROOF_SIZE",
    "REPLY_SIZE",
    "VERSION",
    "Buffer",
    "CookieDiffers",
    "FrameBuffer",
    "FrameKind",
    "HandshakeRefused",
    "Oversized",
    "Role",
    "check_greeting",
    "check_reply",
    "frame_header",
    "greeting",
    "is_proof",
    "proof",
    "read_cookie",
    "reply",
    "size_in_words",
]

Buffer = bytes | bytearray | memoryview

CALL_SECONDS = 60.0
"""The limit of a call, where its caller sets none."""

VERSION = 1
MAGIC = b"CLND"
NONCE_SIZE = 32
PROOF_SIZE = 32
NO_PROOF = bytes(
    PROOF_SIZE
)  # sent by a caller that found that the cookie differs, so that both sides can report it
SHORTEST_COOKIE = 16

_GREETING = struct.Struct(f">4sHBx{NONCE_SIZE}s")
_REPLY = struct.Struct(f">4sHBx{NONCE_SIZE}s16sQ")
_HEADER = struct.Struct(">IB")

GREETING_SIZE = _GREETING.size
REPLY_SIZE = _REPLY.size + PROOF_SIZE

ROOM = 8192  # most frames are far smaller; larger ones get a buffer of their own
LARGE = 1 << 20


class Role(IntEnum):
    """The role of a sender, which is part of every code of the handshake."""

    PEER = 1
    CLIENT = 2
    ANSWERER = 3


class FrameKind(IntEnum):
    """The content of a frame.

    Numbers from 64 up are free for extensions (see `EmbeddedNode.peer_frames`)."""

    # between nodes
    HELLO = 1
    NEWS = 2
    BEAT = 3
    WATCH = 4
    UNWATCH = 5
    BYE = 6
    PROCESSES = 7
    # from a client
    CALL = 16
    ASK = 17
    # to a client
    RESULT = 24
    RAISED = 25
    UNREADABLE = 26


class HandshakeRefused(Exception):
    """The other side is not part of the cluster, or is another node than expected.

    `reason` can be shown to users."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CookieDiffers(HandshakeRefused):
    """The other side does not know our cookie."""

    def __init__(self) -> None:
        super().__init__("the cookie differs")


class Oversized(Exception):
    """A frame announces more than the limit."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"a frame of {size_in_words(size)} is beyond the limit of {size_in_words(limit)}")
        self.size = size
        self.limit = limit


def read_cookie(path: str) -> bytes:
    """Reads the shared secret. Refuses a file that other users could have read or written."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UsageError(f"the cookie file {path} cannot be read", cause=error.strerror) from error
    try:
        _check_cookie_file(
            path, os.fstat(descriptor)
        )  # of the open file: the path may be another file by now
        cookie = os.read(descriptor, 4096).strip()
    finally:
        os.close(descriptor)
    if len(cookie) < SHORTEST_COOKIE:
        raise UsageError(f"the cookie in {path} is shorter than {SHORTEST_COOKIE} bytes")
    return cookie


def _check_cookie_file(path: str, facts: os.stat_result) -> None:
    mode = stat.S_IMODE(facts.st_mode)
    if not stat.S_ISREG(facts.st_mode):
        raise UsageError(f"the cookie file {path} is not a regular file")
    if facts.st_uid != os.geteuid():
        raise UsageError(
            f"the cookie file {path} belongs to another user", cause=f"its owner is uid {facts.st_uid}"
        )
    if mode not in (0o400, 0o600):
        raise UsageError(
            f"the cookie file {path} is open to others",
            cause=f"its mode is {mode:04o}",
            remedies=[f"chmod 400 {path}"],
        )


def greeting(role: Role) -> bytes:
    """The first message: the role of the caller, and a nonce."""
    return _GREETING.pack(MAGIC, VERSION, role, os.urandom(NONCE_SIZE))


def check_greeting(message: Buffer) -> Role:
    """Checks a greeting. A caller of another version is refused with the version."""
    magic, version, role, _ = _GREETING.unpack(message)
    if magic != MAGIC:
        raise HandshakeRefused("it does not speak the protocol of clusterlib")
    if version != VERSION:
        raise HandshakeRefused(f"it speaks version {version} of the protocol, this node version {VERSION}")
    if role not in (Role.PEER, Role.CLIENT):
        raise HandshakeRefused(f"it claims the unknown role {role}")
    return Role(role)


def reply(cookie: bytes, received: Buffer, name: str, limit: int) -> bytes:
    """The answer to a greeting: the answerer's nonce, its name, and the proof that it knows the
    cookie."""
    body = _REPLY.pack(MAGIC, VERSION, Role.ANSWERER, os.urandom(NONCE_SIZE), _identity(name), limit)
    return body + _code(cookie, b"answerer", received, body)


def check_reply(cookie: bytes, sent: Buffer, message: Buffer, name: str) -> int:
    """Checks a reply. Returns the answerer's frame limit, or raises Refused with the reason."""
    body, code = bytes(message[: _REPLY.size]), bytes(message[_REPLY.size :])
    magic, version, role, _, identity, limit = _REPLY.unpack(body)
    if magic != MAGIC or role != Role.ANSWERER:
        raise HandshakeRefused("what answers there does not speak the protocol of clusterlib")
    if version != VERSION:
        raise HandshakeRefused(
            f"the node speaks version {version} of the protocol, this program version {VERSION}"
        )
    if not hmac.compare_digest(code, _code(cookie, b"answerer", sent, body)):
        raise CookieDiffers
    if identity != _identity(name):
        raise HandshakeRefused("another node answers at this address")
    return int(limit)


def proof(cookie: bytes, sent: Buffer, received: Buffer) -> bytes:
    """The last message: the caller's proof."""
    return _code(cookie, b"caller", sent, received)


def is_proof(cookie: bytes, received: Buffer, sent: Buffer, message: Buffer) -> bool:
    return hmac.compare_digest(bytes(message), _code(cookie, b"caller", received, sent))


def frame_header(kind: int, size: int) -> bytes:
    return _HEADER.pack(size, kind)


def size_in_words(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB" if size >= 100_000 else f"{size} bytes"


def _identity(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:16]


def _code(cookie: bytes, label: bytes, first: Buffer, second: Buffer) -> bytes:
    return hmac.digest(cookie, b"clusterlib " + label + bytes(first) + bytes(second), "sha256")


def room_for(size: int) -> memoryview:
    """A buffer to receive into.

    A large one comes from the kernel page by page while the socket fills it: to zero 100 MB at once
    would stop all other threads, among them the one with the heartbeats."""
    if size < LARGE:
        return memoryview(bytearray(size))
    from mmap import mmap

    return memoryview(mmap(-1, size))


class FrameBuffer:
    """Collects received bytes into frames.

    Small frames share one buffer. A large one gets its own buffer, into which the socket writes
    directly, so a payload of 100 MB is copied only once, by the kernel."""

    __slots__ = ("_end", "_kind", "_large", "_large_end", "_limit", "_room", "_start", "_view")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._room = bytearray(ROOM)
        self._view = memoryview(self._room)
        self._start = self._end = 0
        self._kind = 0
        self._large: memoryview | None = None
        self._large_end = 0

    def buffer(self) -> memoryview:
        """The buffer for the next bytes."""
        if self._large is not None:
            return self._large[self._large_end :]
        return self._view[self._end :]

    def filled(self, count: int) -> Iterator[tuple[int, Buffer]]:
        """`count` bytes were written into the buffer.

        Returns the frames that are complete now. Raises Oversized.
        """
        if self._large is not None:
            self._large_end += count
            if self._large_end == len(self._large):
                frame, self._large = self._large, None
                yield self._kind, frame
            return
        self._end += count
        while (ready := self._end - self._start - _HEADER.size) >= 0:
            size, kind = _HEADER.unpack_from(self._room, self._start)
            if size > self._limit:
                raise Oversized(size, self._limit)
            body = self._start + _HEADER.size
            if ready >= size:
                self._start = body + size
                yield kind, bytes(self._view[body : self._start])
            elif size + _HEADER.size > ROOM:
                self._kind = kind
                self._large = room_for(size)
                self._large[:ready] = self._view[body : self._end]
                self._large_end = ready
                self._start = self._end = 0
                return
            else:
                break
        self._make_room()

    def _make_room(self) -> None:
        rest = self._end - self._start
        if rest and self._start:
            self._room[:rest] = bytes(self._view[self._start : self._end])
        self._start, self._end = 0, rest
