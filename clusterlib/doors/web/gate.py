"""Who may ask: the checks that each request passes before anything else of it is read.

An exact list of names of this server stops DNS rebinding. `Origin` and `Sec-Fetch-Site` stop pages
of other sites. The token stops other users of this machine."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from clusterlib.doors.web.problems import Problem
from clusterlib.errors import AccessRefused

__all__ = ["ASGI", "SAFE_HEADERS", "Gate", "Receive", "Scope", "Send", "names_of"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]

SAFE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer. None allows another origin to read it (CORS)."""
OURS = {b"same-origin", b"none"}
BEARER = b"bearer "


def names_of(address: str, port: int) -> frozenset[bytes]:
    """The values of `Host` that mean this server."""
    shown = f"[{address}]" if ":" in address else address
    return frozenset(f"{name}:{port}".encode() for name in (shown, "localhost"))


class Gate:
    def __init__(self, names: frozenset[bytes], token: str, token_file: str) -> None:
        self._names = names
        self._origins = {b"http://" + name for name in names}
        self._token = token.encode()
        self._token_file = token_file

    def check(self, scope: Scope) -> None:
        """Raises Problem for a request that may not pass."""
        headers = _Headers(scope["headers"])
        self._check_host(headers)
        self._check_site(headers)
        self._check_token(headers)

    def _check_host(self, headers: _Headers) -> None:
        if headers.only(b"host") not in self._names:
            names = ", ".join(sorted(name.decode() for name in self._names))
            raise _refused(
                "the header Host does not name this server", cause=f"its names are {names}", status=421
            )

    def _check_site(self, headers: _Headers) -> None:
        origins, sites = headers.all(b"origin"), headers.all(b"sec-fetch-site")
        if not set(origins) <= self._origins or not set(sites) <= OURS:
            raise _refused(
                "a page of another site has sent this request",
                cause="no page but those of this server may use it (Origin, Sec-Fetch-Site)",
                status=403,
            )

    def _check_token(self, headers: _Headers) -> None:
        given = headers.only(b"authorization")
        scheme, token = given[: len(BEARER)].lower(), given[len(BEARER) :].strip()
        if not (secrets.compare_digest(token, self._token) and scheme == BEARER):
            raise _refused(
                "the token is wrong" if given else "the token is missing",
                cause="each request needs the header `Authorization: Bearer TOKEN`",
                remedies=[f"cat {self._token_file}"],
                status=401,
                headers={"WWW-Authenticate": 'Bearer realm="clusterlib"'},
            )


class _Headers:
    def __init__(self, pairs: list[tuple[bytes, bytes]]) -> None:
        self._pairs = pairs

    def all(self, name: bytes) -> list[bytes]:
        return [value for key, value in self._pairs if key == name]

    def only(self, name: bytes) -> bytes:
        """Its value. Empty if there is none, or more than one."""
        values = self.all(name)
        return values[0] if len(values) == 1 else b""


def _refused(
    problem: str,
    *,
    cause: str,
    status: int,
    remedies: list[str] | None = None,
    headers: dict[str, str] | None = None,
) -> Problem:
    error = AccessRefused(problem, cause=cause, remedies=remedies or [])
    return Problem(error, status, {**(headers or {}), "Connection": "close"})
