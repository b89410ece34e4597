"""The handshake of Erlang's distribution protocol, version 6: both sides prove that they know the
cookie, without sending it.

Nothing here reads or writes: `Handshake` gets what arrived and returns what to send, so threads and
event loops share it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from collections.abc import Generator
from typing import Final

from clusterlib.drivers.beam.errors import CookieMismatch, NameTaken, NoDistribution
from clusterlib.errors import ClusterError, NodeUnavailable
from clusterlib.frozen import frozen

__all__ = ["LARGEST_MESSAGE", "Handshake", "Peer"]

LARGEST_MESSAGE: Final = 1024

EXTENDED_REFERENCES = 1 << 2
FUN_TAGS = 1 << 4
NEW_FUN_TAGS = 1 << 7
EXTENDED_PIDS_PORTS = 1 << 8
EXPORT_TAG = 1 << 9
BIT_BINARIES = 1 << 10
NEW_FLOATS = 1 << 11
SMALL_ATOM_TAGS = 1 << 14
UTF8_ATOMS = 1 << 16
MAP_TAG = 1 << 17
BIG_CREATION = 1 << 18
HANDSHAKE_23 = 1 << 24
UNLINK_ID = 1 << 25
NAME_ME = 1 << 33
V4_PIDS = 1 << 34

FLAGS: Final = (
    EXTENDED_REFERENCES
    | FUN_TAGS
    | NEW_FUN_TAGS
    | EXTENDED_PIDS_PORTS
    | EXPORT_TAG
    | BIT_BINARIES
    | NEW_FLOATS
    | SMALL_ATOM_TAGS
    | UTF8_ATOMS
    | MAP_TAG
    | BIG_CREATION
    | HANDSHAKE_23
    | UNLINK_ID
    | V4_PIDS
)
"""Our capabilities.

Not PUBLISHED, so the connection stays hidden from `nodes()`; neither atom cache nor fragments, so
every message arrives complete and plain."""


@frozen
class Peer:
    """The result of a handshake."""

    name: str
    """Of the node."""
    our_name: str
    """The name that it has given us."""
    our_creation: int
    flags: int


class Handshake:
    """From the first byte to a connection. `send` has what to send first; `receive` returns the
    answer to each message.

    Without a name of ours, the node assigns one from a small store that it reuses: any number of
    connections costs it few atoms. (The node must have OTP 25 or newer for that.)"""

    def __init__(self, node: str, cookie: str, *, our_name: str | None = None) -> None:
        self.node = node
        self.peer: Peer | None = None
        self._cookie = cookie
        self._our_name = our_name
        self._our_creation = secrets.randbelow(2**32 - 4) + 4
        self._talk = self._converse()
        self._step = "the greeting"
        self.send = next(self._talk)

    def receive(self, message: bytes) -> bytes:
        """Takes one message; returns what to send, perhaps nothing.

        Once it is over, `peer` is set."""
        try:
            return self._talk.send(message)
        except StopIteration as end:
            self.peer = end.value
            return b""

    def closed(self) -> ClusterError:
        """The reason why the other side closed the connection just now."""
        if self._step == "the proof":
            return CookieMismatch(
                f"{self.node} refuses this cookie",
                cause="it closed the connection when it was shown the proof of ours",
                remedies=["compare: `erlang:get_cookie().` in the node, and the cookie given here"],
            )
        return NoDistribution(
            f"{self.node} does not shake hands",
            cause=f"the listener there closed the connection at {self._step}: a node that ends, or no Erlang node",
        )

    def _converse(self) -> Generator[bytes, bytes, Peer]:
        status = _tagged((yield self._greeting()), b"s", self.node)
        if status == b"alive":
            # A connection of this name exists, or the node has not noticed its end: we insist, and
            # it decides.
            status = _tagged((yield _framed(b"strue")), b"N", self.node, whole=True)
            challenge = status
        else:
            self._accept_status(status)
            challenge = _tagged((yield b""), b"N", self.node, whole=True)
        if len(challenge) < 19:
            raise _not_erlang(self.node, challenge)
        flags, their_challenge = struct.unpack_from(">QI", challenge, 1)
        name = challenge[19 : 19 + int.from_bytes(challenge[17:19])].decode("utf-8", "replace")
        if name != self.node:
            raise NameTaken(
                f"another node than {self.node} answers at its address",
                cause=f"it calls itself {name}",
                remedies=[
                    "one node, one name: the host part must be the same on both sides, 127.0.0.1 is not localhost"
                ],
            )
        ours = secrets.randbits(32)
        self._step = "the proof"
        proof = yield _framed(b"r" + struct.pack(">I", ours) + self._digest(their_challenge))
        if not hmac.compare_digest(_tagged(proof, b"a", self.node), self._digest(ours)):
            raise CookieMismatch(f"what answers as {self.node} does not know the cookie")
        assert self._our_name is not None
        return Peer(name, self._our_name, self._our_creation, flags)

    def _greeting(self) -> bytes:
        host = self.node.partition("@")[2]
        name = (self._our_name or host).encode()
        flags = FLAGS if self._our_name else FLAGS | NAME_ME
        head = struct.pack(">cQIH", b"N", flags, self._our_creation, len(name))
        return _framed(head + name)

    def _accept_status(self, status: bytes) -> None:
        self._step = "the challenge"
        if status.startswith(b"named:") and self._our_name is None and len(status) > 12:
            end = 8 + int.from_bytes(status[6:8])
            self._our_name = status[8:end].decode("utf-8", "replace")
            self._our_creation = int.from_bytes(status[end : end + 4])
        elif status == b"not_allowed":
            raise NodeUnavailable(
                f"{self.node} does not allow connections from {self._our_name or 'us'}",
                cause="it only allows certain nodes (net_kernel:allow/1), or lacks what this protocol needs",
            )
        elif status == b"nok":
            raise NameTaken(f"{self.node} is just connecting to a node of our name {self._our_name}")
        elif status not in {b"ok", b"ok_simultaneous"} or self._our_name is None:
            raise _not_erlang(self.node, status)

    def _digest(self, challenge: int) -> bytes:
        return hashlib.md5(f"{self._cookie}{challenge}".encode(), usedforsecurity=False).digest()


def _tagged(message: bytes, tag: bytes, node: str, *, whole: bool = False) -> bytes:
    if message[:1] != tag:
        raise _not_erlang(node, message)
    return message if whole else message[1:]


def _framed(message: bytes) -> bytes:
    return struct.pack(">H", len(message)) + message


def _not_erlang(node: str, message: bytes) -> NoDistribution:
    return NoDistribution(
        f"what listens where {node} should be is no Erlang node of OTP 25 or newer",
        cause=f"it said {message[:40]!r}",
    )
