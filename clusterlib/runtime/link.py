"""One link to a neighbour: what is known about it, and how news is written on it."""

from __future__ import annotations

import json
from typing import Any

from clusterlib.frozen import frozen
from clusterlib.runtime.membership import News, Status
from clusterlib.runtime.sessions import Session
from clusterlib.runtime.wire import Buffer, Refused

__all__ = ["Link", "Peer", "decode", "encode", "read_hello", "read_news"]


@frozen
class Peer:
    """Where a node of the plan is."""

    name: str
    address: str
    port: int


class Link:
    """An open connection to a neighbour who said its name."""

    __slots__ = ("condemned", "initiator", "known", "life", "peer", "session", "spoke", "watched", "watches")

    def __init__(self, peer: str, life: int, initiator: str, session: Session) -> None:
        self.peer = peer
        self.life = life
        """When the process at the other end started: tells a restarted one from the one before."""
        self.initiator = initiator
        self.session = session
        self.known: dict[str, tuple[int, int]] = {}
        """What the peer knows already: it told us, or we told it."""
        self.spoke = 0.0
        self.watches = False
        """The peer wants our heartbeats."""
        self.watched = False
        """The peer was asked for its heartbeats."""
        self.condemned = 0.0
        """When the link is given up because its peer is said to be dead; 0 for never."""


def encode(data: object) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()


def decode(payload: Buffer) -> Any:
    """What an authenticated peer sent; Refused if it makes no sense."""
    try:
        return json.loads(bytes(payload))
    except (ValueError, RecursionError) as error:
        raise Refused("it sent something that is not JSON") from error


def read_news(items: Any) -> list[News]:
    try:
        return [News(str(name), int(incarnation), Status(status)) for name, incarnation, status in items]
    except (ArithmeticError, TypeError, ValueError) as error:
        raise Refused("it sent news that makes no sense") from error


def read_hello(payload: Buffer) -> tuple[str, int, list[News]]:
    hello = decode(payload)
    try:
        return str(hello["name"]), int(hello["life"]), read_news(hello["news"])
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        raise Refused("it introduced itself in a way that makes no sense") from error
