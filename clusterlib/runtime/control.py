"""The connection to the keeper: JSON lines in both directions over an inherited socket.

It closes when the keeper dies."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

from clusterlib.runtime.log import Log
from clusterlib.runtime.network import NodeNetwork

__all__ = ["Control"]

ROOM = 65536
LONGEST_LINE = 16 << 20


class Control:
    """One end of the connection."""

    def __init__(
        self,
        network: NodeNetwork,
        connected: socket.socket,
        log: Log,
        ordered: Callable[[dict[str, Any]], None],
        orphaned: Callable[[], None],
    ) -> None:
        self._room = memoryview(bytearray(ROOM))
        self._line = bytearray()
        self._log = log
        self._ordered = ordered
        self._orphaned = orphaned
        self._pipe = network.adopt(connected, "the keeper", self)

    def tell(self, event: dict[str, Any]) -> None:
        self._pipe.send(json.dumps(event, separators=(",", ":")).encode() + b"\n")

    def buffer(self) -> memoryview:
        return self._room

    def filled(self, count: int) -> None:
        self._line += self._room[:count]
        if len(self._line) > LONGEST_LINE:
            self._log.say("the keeper sent a line without an end")
            self._orphaned()
            return
        *lines, rest = self._line.split(b"\n")
        self._line = rest
        for line in lines:
            self._obey(bytes(line))

    def lost(self, error: OSError | None) -> None:  # noqa: ARG002  how it ended does not matter
        self._orphaned()

    def _obey(self, line: bytes) -> None:
        try:
            order = json.loads(line)
        except ValueError:
            order = None
        if isinstance(order, dict):
            self._ordered(order)
        elif line.strip():
            self._log.limited("control", "the keeper sent a line that is not an order")
