"""The messages of JSON-RPC 2.0, each in a line of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from clusterlib.doors.documents import as_json
from clusterlib.frozen import frozen

__all__ = [
    "INTERNAL",
    "INVALID_PARAMS",
    "INVALID_REQUEST",
    "METHOD_UNKNOWN",
    "RESOURCE_UNKNOWN",
    "ClientMessage",
    "Document",
    "Identifier",
    "MessageLines",
    "RpcError",
    "encoded",
    "failure",
    "notification",
    "read_message",
    "success",
]

PARSE, INVALID_REQUEST, METHOD_UNKNOWN, INVALID_PARAMS, INTERNAL = -32700, -32600, -32601, -32602, -32603
RESOURCE_UNKNOWN = -32002
MOST_BYTES = 4 << 20
"""Of one message of the client."""

Identifier = str | int
Document = Mapping[str, Any]


class RpcError(Exception):
    """A mistake in the protocol, not in what a tool was asked to do."""

    def __init__(self, code: int, problem: str, identifier: Identifier | None = None) -> None:
        super().__init__(problem)
        self.code = code
        self.problem = problem
        self.identifier = identifier


@frozen
class ClientMessage:
    """What a client has sent."""

    method: str
    params: Document
    identifier: Identifier | None = None
    """None of a notification, which has no answer."""

    @property
    def token(self) -> Identifier | None:
        """What the client wants progress to be reported with."""
        meta = self.params.get("_meta")
        token = meta.get("progressToken") if isinstance(meta, Mapping) else None
        return token if _is_identifier(token) else None


class MessageLines:
    """Makes lines of what is read. One that is too long is dropped when its end has come."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._begun = bytearray()
        self._too_long = False

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """Gives None in place of a line that was too long."""
        *ends, rest = data.split(b"\n")
        for end in ends:
            self._add(end)
            yield None if self._too_long else bytes(self._begun)
            self._begun.clear()
            self._too_long = False
        self._add(rest)

    def _add(self, piece: bytes) -> None:
        self._too_long = self._too_long or len(self._begun) + len(piece) > self._most
        if self._too_long:
            self._begun.clear()
        else:
            self._begun += piece


def read_message(line: bytes | None) -> ClientMessage | None:
    """None for an answer: we ask the client nothing. Raises RpcError."""
    if line is None:
        raise RpcError(INVALID_REQUEST, f"a message must not be longer than {MOST_BYTES} bytes")
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RpcError(PARSE, f"this is no JSON: {error}") from None
    if isinstance(data, list):
        raise RpcError(INVALID_REQUEST, "send each message alone: batches are not supported")
    if not isinstance(data, dict):
        raise RpcError(INVALID_REQUEST, "a message is an object")
    identifier = data.get("id")
    known = identifier if _is_identifier(identifier) else None
    if data.get("jsonrpc") != "2.0":
        raise RpcError(INVALID_REQUEST, 'a message has "jsonrpc": "2.0"', known)
    if "method" not in data and ("result" in data or "error" in data):
        return None
    method, params = data.get("method"), data.get("params", {})
    if not isinstance(method, str):
        raise RpcError(INVALID_REQUEST, 'a message has a "method", which is a text', known)
    if "id" in data and known is None:
        raise RpcError(INVALID_REQUEST, "an id is a text or a whole number")
    if not isinstance(params, dict):
        raise RpcError(INVALID_PARAMS, "params is an object", known)
    return ClientMessage(method, params, known)


def success(identifier: Identifier, result: Document) -> Document:
    return {"jsonrpc": "2.0", "id": identifier, "result": result}


def failure(error: RpcError, identifier: Identifier | None = None) -> Document:
    about = error.identifier if identifier is None else identifier
    return {"jsonrpc": "2.0", "id": about, "error": {"code": error.code, "message": error.problem}}


def notification(method: str, params: Document | None = None) -> Document:
    return {"jsonrpc": "2.0", "method": method, **({} if params is None else {"params": params})}


def encoded(document: Document) -> bytes:
    return as_json(document).encode()


def _is_identifier(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)
