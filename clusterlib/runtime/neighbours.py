"""Finds the user at the other end of a TCP connection within this machine.

Linux shows this to every user."""

from __future__ import annotations

import socket
import struct

__all__ = ["user_at_other_end"]

SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
REQUEST = 1
_HEADER = struct.Struct("=IHHII")
_QUESTION = struct.Struct("=BBBxI")
_PORTS = struct.Struct(">HH")
_NO_INTERFACE_NO_COOKIE = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
_USER = struct.Struct("=I")
_USER_AT = _HEADER.size + 4 + 48 + 3 * 4
_ANSWER_SECONDS = 0.1


def user_at_other_end(connected: socket.socket) -> int | None:
    """The user id, for a connection within this machine; None if it is not known."""
    if not hasattr(socket, "AF_NETLINK"):
        return None
    try:
        ours, theirs = connected.getsockname(), connected.getpeername()
        packed = [socket.inet_pton(connected.family, one[0]).ljust(16, b"\0") for one in (theirs, ours)]
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, SOCK_DIAG) as kernel:
            kernel.settimeout(_ANSWER_SECONDS)
            question = (
                _QUESTION.pack(connected.family, socket.IPPROTO_TCP, 0, 0xFFFFFFFF)
                + _PORTS.pack(theirs[1], ours[1])
                + b"".join(packed)
                + _NO_INTERFACE_NO_COOKIE
            )
            kernel.sendto(
                _HEADER.pack(_HEADER.size + len(question), SOCK_DIAG_BY_FAMILY, REQUEST, 0, 0) + question,
                (0, 0),
            )
            answer = kernel.recv(4096)
    except (OSError, ValueError):
        return None
    if len(answer) < _USER_AT + _USER.size or _HEADER.unpack_from(answer)[1] != SOCK_DIAG_BY_FAMILY:
        return None
    user: int = _USER.unpack_from(answer, _USER_AT)[0]
    return user
