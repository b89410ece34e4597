"""What a server over REST gets when it starts, over the socket that it was started with."""

from __future__ import annotations

import json
import socket

from clusterlib.errors import KeeperLost
from clusterlib.frozen import frozen
from clusterlib.messages.codec import plain, revive

__all__ = ["READY", "ServerOrder", "receive_order", "send_order"]

READY = b"ready\n"
"""What the server answers once it takes requests."""
LONGEST = 1 << 16


@frozen
class ServerOrder:
    project: str
    listener: int
    """The number of the descriptor of the socket that listens."""
    address: str
    port: int
    token_file: str
    allow_execute: bool


def send_order(channel: socket.socket, order: ServerOrder) -> None:
    channel.sendall(json.dumps(plain(order)).encode() + b"\n")


def receive_order(channel: socket.socket) -> ServerOrder:
    data = b""
    while not data.endswith(b"\n") and len(data) < LONGEST:
        some = channel.recv(LONGEST)
        if not some:
            raise KeeperLost("the process that has started this server is gone")
        data += some
    return revive(ServerOrder, json.loads(data))
