"""Whether programs of this machine reach each other over its loopback."""

from __future__ import annotations

import socket

__all__ = ["try_loopback"]

ANSWER_SECONDS = 0.5


def try_loopback(address: str) -> None:
    """Listens and connects on the loopback.

    Raises OSError: on an interface that is down, a program can listen, but nothing is delivered."""
    with socket.socket() as listener, socket.socket() as client:
        listener.bind((address, 0))
        listener.listen(1)
        client.settimeout(ANSWER_SECONDS)
        client.connect(listener.getsockname())
