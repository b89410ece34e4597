"""The HTTP endpoint of a node: /health, /members and /metrics as JSON, for probes, dashboards and
curl.

The server is minimal: one GET for each connection, limits on the size and time of a request, and
errors for everything else."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from http import HTTPStatus

from clusterlib.runtime.log import Log
from clusterlib.runtime.network import Cancellable, NodeNetwork
from clusterlib.runtime.pipes import Pipe

__all__ = ["HealthServer", "Page"]

LONGEST_HEADER = 8192
REQUEST_SECONDS = 2.0
MOST_CONNECTIONS = 32

Page = Callable[[], tuple[HTTPStatus, object]]


class HealthServer:
    """Serves pages over HTTP/1.1."""

    def __init__(self, network: NodeNetwork, pages: Mapping[str, Page], log: Log) -> None:
        self.pages = pages
        self.log = log
        self._network = network
        self._visitors: OrderedDict[_Visitor, Cancellable] = OrderedDict()

    def accept(self, pipe: Pipe) -> None:
        if len(self._visitors) >= MOST_CONNECTIONS:
            next(iter(self._visitors)).drop("too many connections, this was the oldest")
        visitor = _Visitor(self, pipe)
        self._visitors[visitor] = self._network.later(REQUEST_SECONDS, visitor.too_slow)
        pipe.owner = visitor
        pipe.start()

    def gone(self, visitor: _Visitor) -> None:
        timer = self._visitors.pop(visitor, None)
        if timer is not None:
            timer.cancel()


class _Visitor:
    """One connection."""

    def __init__(self, health: HealthServer, pipe: Pipe) -> None:
        self._health = health
        self._pipe = pipe
        self._room = memoryview(bytearray(LONGEST_HEADER))
        self._count = 0
        self._answered = False

    def buffer(self) -> memoryview:
        return self._room[self._count :]

    def filled(self, count: int) -> None:
        if self._answered:
            return  # a body, or another request: only one is answered on a connection
        self._count += count
        header = bytes(self._room[: self._count])
        if b"\r\n\r\n" in header or b"\n\n" in header:
            self._answer(*self._page(header))
        elif self._count == LONGEST_HEADER:
            self._answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, {"error": "the header is too long"})

    def lost(self, error: OSError | None) -> None:  # noqa: ARG002  how it ended does not matter
        self._health.gone(self)

    def too_slow(self) -> None:
        self.drop("no request in time")

    def drop(self, reason: str) -> None:
        if not self._answered:
            self._health.log.limited("http", f"dropped an HTTP connection from {self._pipe.other}: {reason}")
        self._health.gone(self)
        self._pipe.abort()

    def _page(self, header: bytes) -> tuple[HTTPStatus, object]:
        words = header.split(b"\n", 1)[0].split()
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return HTTPStatus.BAD_REQUEST, {"error": "this is not an HTTP/1 request"}
        path = _path(words[1])
        page = self._health.pages.get(path)
        if page is None:
            return HTTPStatus.NOT_FOUND, {"error": "no such page", "pages": sorted(self._health.pages)}
        if words[0] != b"GET":
            return HTTPStatus.METHOD_NOT_ALLOWED, {"error": "only GET"}
        return page()

    def _answer(self, status: HTTPStatus, data: object) -> None:
        self._answered, self._count = True, 0
        body = json.dumps(data).encode() + b"\n"
        allow = "Allow: GET\r\n" if status is HTTPStatus.METHOD_NOT_ALLOWED else ""
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{allow}Connection: close\r\n\r\n"
        )
        self._pipe.send(head.encode() + body)
        self._pipe.finish()


def _path(target: bytes) -> str:
    """The path of a request. The target may be a whole URI; its host is ignored."""
    scheme, separator, rest = target.partition(b"://")
    if separator and scheme.lower() in (b"http", b"https"):
        target = b"/" + rest.partition(b"/")[2]
    return target.partition(b"?")[0].decode("latin-1")
