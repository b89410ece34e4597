"""Whether a host name leads to this machine."""

from __future__ import annotations

import socket
import threading

__all__ = ["loopback_obstacle"]

PATIENCE = 2.0  # a broken name server answers after half a minute, which is too long to wait


def loopback_obstacle(host: str, patience: float = PATIENCE) -> str | None:
    """Why a name does not lead to this machine's loopback; None if it does."""
    if _is_loopback(host):
        return None
    found: list[str | None] = []
    # A look-up cannot be interrupted, so it runs in a thread; one that hangs ends with the process.
    look_up = threading.Thread(target=lambda: found.append(_look_up(host)), daemon=True)
    try:
        look_up.start()
    except RuntimeError:  # the user may have no more threads
        return _look_up(host)
    look_up.join(patience)
    return found[0] if found else f"was not resolved within {patience:g} s"


def _look_up(host: str) -> str | None:
    try:
        answers = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return "does not resolve here"
    others = sorted({str(answer[4][0]) for answer in answers if not _is_loopback(str(answer[4][0]))})
    return f"resolves to {others[0]}, which is not this machine's loopback" if others else None


def _is_loopback(address: str) -> bool:
    try:
        return socket.inet_aton(address)[0] == 127 and address.count(".") == 3
    except OSError:
        return False
