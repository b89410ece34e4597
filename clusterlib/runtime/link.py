"""One link to a neighbour: what is known about it, and how news is sent over it."""

from __future__ import annotations

import json
from typing import Any

from clusterlib.frozen import frozen
from clusterlib.runtime.membership import Liveness, News
from clusterlib.runtime.sessions import SecuredSession
from clusterlib.runtime.wire import Buffer, HandshakeRefused

__all__ = ["PeerAddress", "PeerLink", "decode", "encode", "read_hello", "read_news"]


@frozen
class PeerAddress:
    """The address of a node of the plan."""

    name: str
    address: str
    port: int


class PeerLink:
    """An open connection to a neighbour that has sent its name."""

    __slots__ = ("condemned", "initiator", "known", "life", "peer", "session", "spoke", "watched", "watches")

    def __init__(self, peer: str, life: int, initiator: str, session: SecuredSession) -> None:
        self.peer = peer
        self.life = life
        """When the process at the other end started, which distinguishes a restarted process from
        the previous one.
        """
        self.initiator = initiator
        self.session = session
        self.known: dict[str, tuple[int, int]] = {}
        """What the peer already knows, because one side has sent it to the other."""
        self.spoke = 0.0
        self.watches = False
        """The peer wants our heartbeats."""
        self.watched = False
        """The peer was asked for its heartbeats."""
        self.condemned = 0.0
        """When the link is closed because its peer is reported dead; 0 for never."""


def encode(data: object) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()


def decode(payload: Buffer) -> Any:
    """Decodes a message of an authenticated peer. Raises Refused if it is invalid."""
    try:
        return json.loads(bytes(payload))
    except (ValueError, RecursionError) as error:
        raise HandshakeRefused("it sent something that is not JSON") from error


def read_news(items: Any) -> list[News]:
    try:
        return [News(str(name), int(incarnation), Liveness(status)) for name, incarnation, status in items]
    except (ArithmeticError, TypeError, ValueError) as error:
        raise HandshakeRefused("it sent invalid news") from error


def read_hello(payload: Buffer) -> tuple[str, int, list[News]]:
    hello = decode(payload)
    try:
        return str(hello["name"]), int(hello["life"]), read_news(hello["news"])
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        raise HandshakeRefused("it sent an invalid greeting") from error
