"""The arguments of a request: of a query, or of a JSON document."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from clusterlib.doors.web.problems import Problem
from clusterlib.doors.web.routes import NAME, FoundRoute
from clusterlib.errors import RequestRefused, UsageError
from clusterlib.frozen import frozen

__all__ = ["LARGEST_BODY", "GivenArguments", "arguments_of", "given_in_query", "read_body", "read_document"]

LARGEST_BODY = 1 << 20
BODY_SECONDS = 10.0
JSON_TYPE = "application/json"


@frozen
class GivenArguments:
    """What a client has sent, by name."""

    values: dict[str, Any]
    typed: bool
    """Whether the values have their types, as in JSON. Those of a query are texts."""


def arguments_of(given: GivenArguments, found: FoundRoute) -> tuple[GivenArguments, tuple[str, ...]]:
    """With the cluster that the path names; and the words that stand after `--` in a shell.

    Raises UsageError if the words are none."""
    values = dict(given.values)
    known = {one.name for one in found.route.parameters}
    if unknown := [name for name in values if name not in known]:
        shown = ", ".join(unknown)[:200]
        cause = (
            "the path names the cluster"
            if unknown == [NAME]
            else f"there are: {', '.join(sorted(known)) or 'none'}"
        )
        raise UsageError(f"there is no parameter {shown}", cause=cause)
    if found.cluster is not None:
        values[NAME] = found.cluster
    taken = found.route.operation.words
    words = _words(values.pop(taken, [])) if taken else ()
    return GivenArguments(values, given.typed), words


def _words(given: object) -> tuple[str, ...]:
    words = [given] if isinstance(given, str) else given
    if not isinstance(words, list) or not all(isinstance(one, str) and "\0" not in one for one in words):
        raise UsageError("the words of a command must be a list of texts")
    return tuple(words)


def given_in_query(pairs: Sequence[tuple[str, str]], found: FoundRoute) -> GivenArguments:
    """A list has its name once for each item."""
    lists = {one.name for one in found.route.parameters if one.schema.get("type") == "array"}
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in lists:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise UsageError(f"{name} is given more than once")
        else:
            values[name] = value
    return GivenArguments(values, typed=False)


def read_document(body: bytes, content_type: str) -> GivenArguments:
    """An empty body is an empty document."""
    kind, _, rest = content_type.partition(";")
    if kind.strip().lower() != JSON_TYPE or rest.strip().lower() not in {"", "charset=utf-8"}:
        cause = f"the arguments are a JSON document: Content-Type: {JSON_TYPE}"
        raise Problem(RequestRefused("the content type is not that of JSON", cause=cause), 415)
    try:
        document = json.loads(body, parse_constant=_no_number) if body.strip() else {}
    except (ValueError, RecursionError) as error:
        raise RequestRefused("the body is no JSON document", cause=str(error)[:200]) from error
    if not isinstance(document, dict):
        raise UsageError("the body must be a JSON object", cause="its keys are the names of parameters")
    return GivenArguments(document, typed=True)


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number in JSON")


async def read_body(pieces: AsyncIterator[bytes], length: str) -> bytes:
    """Raises Problem for one that is too large, or comes too slowly."""
    body = bytearray()
    if length.isdigit() and (len(length) > 12 or int(length) > LARGEST_BODY):
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in pieces:
                body += piece
                if len(body) > LARGEST_BODY:
                    raise _too_large()
    except TimeoutError as error:
        slow = RequestRefused(f"the body did not arrive within {BODY_SECONDS:g} s")
        raise Problem(slow, 408, {"Connection": "close"}) from error
    return bytes(body)


def _too_large() -> Problem:
    return Problem(
        RequestRefused("the body is too large", cause=f"at most {LARGEST_BODY} bytes are read"),
        413,
        {"Connection": "close"},
    )
