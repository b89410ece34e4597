"""Whether programs of this machine reach each other over its loopback."""

from __future__ import annotations

import socket

__all__ = ["try_loopback"]

ANSWER_SECONDS = 0.5


def try_loopback(address: str) -> None:
    """Listens and connects there. Raises OSError: an interface that is down lets a program listen, and delivers nothing."""
    with socket.socket() as listener, socket.socket() as client:
        listener.bind((address, 0))
        listener.listen(1)
        client.settimeout(ANSWER_SECONDS)
        client.connect(listener.getsockname())
