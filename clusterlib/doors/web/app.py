"""The application: a request passes the gate, finds its operation, and gets its answer."""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from clusterlib.doors.documents import as_json, worded
from clusterlib.doors.program.wording import ProgramWording
from clusterlib.doors.web.calling import OperationCalls
from clusterlib.doors.web.gate import SAFE_HEADERS, Gate, Receive, Scope, Send, names_of
from clusterlib.doors.web.given import GivenArguments, given_in_query, read_body, read_document
from clusterlib.doors.web.problems import Problem, problem_of, status_of
from clusterlib.doors.web.routes import API, CLUSTERS, OPENAPI, PROBLEMS, STREAM, FoundRoute, find_route
from clusterlib.errors import ClusterError, RequestRefused
from clusterlib.operations.catalogue import Catalogue, catalogue
from clusterlib.operations.listing import ListedOperation
from clusterlib.operations.server_order import ServerOrder

if TYPE_CHECKING:
    from clusterlib.doors.web.streams import EventStreams

__all__ = ["Application"]

R = TypeVar("R")
PROBLEM = "application/problem+json"
JSON = "application/json"
NOTES = "Clusterlib-Notes"
MOST_NOTED = 2000
MOST_OF_AGENT = 60


class Application:
    """An ASGI application for one project."""

    def __init__(self, order: ServerOrder, token: str) -> None:
        self._project = Path(order.project)
        names = names_of(order.address, order.port)
        self._base = f"http://{min(names).decode()}"
        self._gate = Gate(names, token, order.token_file)
        self._calls = OperationCalls(self._project, allow_execute=order.allow_execute)
        self._streams: EventStreams | None = None
        self._wording = ProgramWording()

    def close(self) -> None:
        """Ends the streams, which would go on for ever."""
        if self._streams is not None:
            self._streams.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            self._gate.check(scope)
            response = await self._answer(request)
        except Problem as problem:
            response = self._refusal(problem.error, problem.status, problem.headers)
        except ClusterError as error:
            response = self._refusal(error, status_of(error))
        for name, value in SAFE_HEADERS.items():
            response.headers[name] = value
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        if path == OPENAPI:
            from clusterlib.doors.web.openapi import openapi_of

            _check_method(request, "GET")
            document = await self._in_thread(
                openapi_of, self._catalogue().operations, self._calls.answer_schema
            )
            return _json(document)
        if path.startswith(PROBLEMS):
            from clusterlib.doors.web.explained import explained

            _check_method(request, "GET")
            return Response(explained(path.removeprefix(PROBLEMS)), media_type="text/markdown")
        if stream := STREAM.fullmatch(path):
            _check_method(request, "GET")
            return await self._stream(request, stream[1])
        found = self._found(path)
        _check_method(request, found.route.method)
        given = await _given(request, found)
        called = await self._in_thread(self._calls.carry_out, found, given, _client(request))
        notes = [*map(self._wording, called.notes), *self._outdated(found)]
        headers = {NOTES: json.dumps(notes)[:MOST_NOTED]} if notes else {}
        return _json(worded(called.document, self._wording), headers)

    def _outdated(self, found: FoundRoute) -> list[str]:
        """What is wrong with the file of the operation, if its last good version has answered."""
        file = found.route.operation.module
        wrong = [one for one in self._catalogue().troubles if one.file == file]
        return [f"{one}; the last version that worked has answered" for one in wrong]

    async def _stream(self, request: Request, name: str) -> Response:
        from clusterlib.doors.web.streams import EVENT_STREAM, EventStreams

        self._streams = self._streams or EventStreams(self._project)
        last = _last_event(request) or request.query_params.get("after")
        return StreamingResponse(await self._streams.open(name, last), media_type=EVENT_STREAM)

    async def _in_thread(self, function: Callable[..., R], *arguments: Any) -> R:
        """With the context of this task."""
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()
        return await loop.run_in_executor(self._calls.threads, lambda: context.run(function, *arguments))

    def _found(self, path: str) -> FoundRoute:
        known = self._catalogue()
        found = find_route(path, known.operations) if path.startswith(API) else None
        if found is None:
            raise Problem(_unknown(path, known), 404)
        return found

    def _catalogue(self) -> Catalogue:
        return catalogue(self._project)

    def _refusal(self, error: ClusterError, status: int, headers: dict[str, str] | None = None) -> Response:
        known: Sequence[ListedOperation] = self._catalogue().operations
        document = problem_of(error, status, self._base, known)
        return Response(as_json(document), status, headers, PROBLEM)


async def _given(request: Request, found: FoundRoute) -> GivenArguments:
    pairs = request.query_params.multi_items()
    if found.route.method == "GET":
        return given_in_query(pairs, found)
    if pairs:
        raise RequestRefused(
            "a POST has no query",
            cause="the arguments are in its body, a JSON document",
            evidence=[f"query: {', '.join(name for name, _ in pairs)[:200]}"],
        )
    body = await read_body(request.stream(), request.headers.get("content-length", ""))
    return read_document(body, request.headers.get("content-type", ""))


def _last_event(request: Request) -> str:
    """Browsers send it in UTF-8, as its stream had it; headers are decoded as Latin-1."""
    return request.headers.get("last-event-id", "").encode("latin-1").decode("utf-8", "replace")


def _check_method(request: Request, method: str) -> None:
    if request.method != method:
        refused = RequestRefused(f"{request.url.path} takes {method}, not {request.method}")
        raise Problem(refused, 405, {"Allow": method})


def _unknown(path: str, known: Catalogue) -> RequestRefused:
    where = f"{CLUSTERS}NAME/OPERATION, or {API}OPERATION for what needs no cluster"
    return RequestRefused(
        f"there is nothing at {path[:200]}",
        cause=f"operations are at {where}; {OPENAPI} lists all",
        evidence=[f"not usable: {trouble}" for trouble in known.troubles],
    )


def _client(request: Request) -> str:
    """For the event log: by which door a request came, and what its sender calls itself."""
    agent = request.headers.get("user-agent", "")
    shown = "".join(one for one in agent if one.isascii() and one.isprintable())[:MOST_OF_AGENT]
    port = request.client.port if request.client else 0
    return f"REST client at port {port} ({shown or 'unknown'})"


def _json(document: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(as_json(document), headers=headers, media_type=JSON)
