"""Keeps secrets out of artifacts: everything that is copied or shown goes through this module.

A secret is recognized by its name (an environment variable), by its place (a cluster's cookie) or
by its form (a password in a URL). Known secrets are found in every form that a log can give them:
unchanged, in JSON, in Python's notation, in a URL and in base64. They are also found if a text was
cut off inside them, or if Python has wrapped them over several lines. For unknown secrets see
`secret_forms`."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from clusterlib.evidence.halves import Halves
from clusterlib.evidence.seams import Seams
from clusterlib.evidence.secret_forms import MARK, hide_forms, is_secret
from clusterlib.rundir.folders import RunFolder

__all__ = ["MARK", "Redactor", "is_secret", "redactor_for"]

SHORTEST = 6
"""Shorter secrets are not searched in free text: that would damage the text and hide nothing."""
SHORTEST_CODE = 8
"""A shorter piece of base64 could be anything."""
_KEPT = frozenset({"time", "kind", "state", "run"})
"""Keys that identify events and the folder of a run. A cookie "ready" must not hide the story."""


_HEX = re.compile(rb"%(?:25)?[0-9A-F]{2}")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Redactor:
    """Replaces the secrets that it knows."""

    def __init__(self, secrets: Iterable[str] = (), variables: Mapping[str, str] | None = None) -> None:
        """`variables` are environment variables by name. Only the secret ones are used."""
        named = {
            name: value for name, value in (variables or {}).items() if value.strip() and is_secret(name)
        }
        self.secrets = frozenset(line for secret in (*secrets, *named.values()) for line in _searched(secret))
        shapes = {shape for secret in self.secrets for shape in _shapes(secret)}
        self._shapes = sorted(shapes, key=len, reverse=True)
        self._codes = [code for secret in self.secrets for code in _codes(_as_it_was(secret))]
        self._halves = Halves(shapes)
        self._short = [
            _assignment(name, value.strip()) for name, value in sorted(named.items()) if not _searched(value)
        ]

    def data(self, data: bytes) -> bytes:
        """Redacts whole lines of a file, in any encoding."""
        data = self._known(data)
        for pattern in self._short:
            data = pattern.sub(rb"\1" + MARK.encode(), data)
        for code in self._codes:
            if code in data:
                data = _around(code).sub(MARK.encode(), data)
        return hide_forms(self._halves.hide(data))

    def _known(self, data: bytes) -> bytes:
        for shape in self._shapes:
            if shape in data:
                data = data.replace(shape, MARK.encode())
        seams = Seams(data)
        if not seams:
            return data
        return seams.replace(self._shapes, MARK.encode())

    def text(self, text: str) -> str:
        """Also accepts text that was not valid in its file: what cannot be encoded is kept as it
        is.

        The text may be cut off anywhere, even in the middle of a secret."""
        data = self._halves.hide_at_end(self.data(text.encode(errors="surrogatepass")))
        return data.decode(errors="surrogatepass")

    def value(self, value: Any) -> Any:
        """Redacts strings in JSON data. Keys stay, and so do the values that identify events."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {str(key): self._entry(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def line(self, line: bytes) -> bytes:
        """Redacts a line of JSON. It is parsed only if it contains something to hide."""
        if self.data(line) == line:
            return line
        try:
            return json.dumps(self.value(json.loads(line))).encode()
        except (ValueError, RecursionError):
            return self.data(line)

    def _entry(self, key: str, item: Any) -> Any:
        if isinstance(item, str):
            if key in _KEPT:
                return item
            if is_secret(key) and key.isupper():
                return MARK
        return self.value(item)


def redactor_for(runs: Iterable[Path], environ: Mapping[str, str]) -> Redactor:
    """A redactor for the secrets of these run folders and of this environment."""
    secrets: list[str] = []
    variables: dict[str, str] = {}
    for run in map(RunFolder, runs):
        with contextlib.suppress(OSError):
            secrets.append(run.cookie.read_text(errors="surrogateescape"))
        with contextlib.suppress(OSError, ValueError, AttributeError, TypeError, KeyError):
            for role in json.loads(run.plan.read_bytes())["roles"]:
                of_nodes = role["environment"].items()
                variables |= {str(name): str(value) for name, value in of_nodes}
                secrets += [str(value) for name, value in of_nodes if is_secret(name)]
    return Redactor(secrets, {**variables, **environ})


def _searched(secret: str) -> list[str]:
    """The texts to search. Logs are read by line, so each line of a long key is one of them."""
    lines = [line.strip() for line in secret.splitlines()]
    return [line for line in lines if len(line) >= SHORTEST and line not in MARK]


def _shapes(secret: str) -> Iterator[bytes]:
    in_json = json.dumps(secret)[1:-1]
    for text in (
        secret,
        in_json,
        in_json.replace("/", "\\/"),
        in_json.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"),
        json.dumps(in_json)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        ascii(secret)[1:-1],
        shlex.quote(secret),
    ):
        yield text.encode(errors="surrogatepass")
    raw = _as_it_was(secret)
    yield raw
    yield repr(raw)[2:-1].encode()
    for once in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        for quoted in (once, quote(once, safe="")):
            yield quoted.encode()
            yield _HEX.sub(lambda found: found[0].lower(), quoted.encode())
    yield raw.hex().encode()
    yield raw.hex().upper().encode()


def _codes(raw: bytes) -> Iterator[bytes]:
    """The base64 of a secret at any position among other bytes: three bytes become four letters."""
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw)
        first = -(-8 * shift // 6)
        whole = (8 * (shift + len(raw))) // 6
        core = coded[first:whole]
        if len(core) >= SHORTEST_CODE:
            yield core
            yield core.translate(_URL_SAFE)


def _around(code: bytes) -> re.Pattern[bytes]:
    """The whole encoded text. The rest of it is a user name or padding."""
    return re.compile(rb"[A-Za-z0-9+/_-]{0,200}" + re.escape(code) + rb"[A-Za-z0-9+/_-]{0,200}={0,2}")


def _as_it_was(secret: str) -> bytes:
    """The bytes from which Python made a string."""
    try:
        return secret.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return secret.encode(errors="surrogatepass")


def _assignment(name: str, value: str) -> re.Pattern[bytes]:
    """Finds a value that is too short to search alone, by the name beside it:
    NAME=value, "NAME": "value"."""
    return re.compile(
        rb"(\b"
        + re.escape(name.encode())
        + rb"[\"']?\s*[:=]\s*[\"']?)"
        + re.escape(value.encode())
        + rb"(?!\w)"
    )
