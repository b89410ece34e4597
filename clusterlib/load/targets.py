"""Makes of a request what a client calls again and again, and names what can go wrong with it."""

from __future__ import annotations

import asyncio
import http.client
import inspect
import os
from collections.abc import Awaitable, Callable, Mapping
from errno import ENOENT
from shutil import which
from signal import Signals
from typing import Any, Literal, Protocol

from clusterlib.errors import ClusterError, UsageError
from clusterlib.hosts.launch import start_error
from clusterlib.hosts.repeated import CommandEnd, RepeatedCommand
from clusterlib.load.given import LoadNode
from clusterlib.load.orders import LoadRequest, TargetKind
from clusterlib.rendering import render_text
from clusterlib.runtime.targets import resolve

__all__ = ["AsyncAttempt", "AsyncTarget", "Attempt", "Target", "ThreadTarget", "kind_of_error", "open_target"]

Attempt = Callable[[], str | None]
AsyncAttempt = Callable[[], Awaitable[str | None]]
MOST_SAID = 100
"""Characters of what a command has printed."""


class ThreadTarget(Protocol):
    """Each client is a thread."""

    is_async: Literal[False]

    def client(self, node: LoadNode) -> Attempt:
        """What one client calls: it returns the kind of its error, or None."""


class AsyncTarget(Protocol):
    """Each client is a coroutine."""

    is_async: Literal[True]

    def client(self, node: LoadNode) -> AsyncAttempt: ...


Target = ThreadTarget | AsyncTarget


def open_target(request: LoadRequest) -> Target:
    """Raises ClusterError if there is no such target."""
    return KINDS[request.kind](request)


def kind_of_error(error: BaseException) -> str:
    """A word for errors that are alike: they are counted by it."""
    if isinstance(error, ClusterError):
        return error.code
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ConnectionError | http.client.HTTPException):
        return "connection lost"
    return type(error).__name__


class FunctionTarget:
    is_async: Literal[False] = False

    def __init__(self, function: Callable[..., Any], request: LoadRequest) -> None:
        self._function = function
        self._takes_node = _takes_node(function, request.target)

    def client(self, node: LoadNode) -> Attempt:
        given = (node,) if self._takes_node else ()

        def attempt() -> str | None:
            try:
                self._function(*given)
            except BaseException as error:  # noqa: BLE001 - even SystemExit is counted, and ends no client
                return kind_of_error(error)
            return None

        return attempt


class CoroutineTarget:
    is_async: Literal[True] = True

    def __init__(self, function: Callable[..., Any], request: LoadRequest) -> None:
        self._function = function
        self._takes_node = _takes_node(function, request.target)
        self._timeout = request.timeout

    def client(self, node: LoadNode) -> AsyncAttempt:
        given = (node,) if self._takes_node else ()

        async def attempt() -> str | None:
            try:
                async with asyncio.timeout(self._timeout):
                    await self._function(*given)
            except BaseException as error:  # even SystemExit is counted, and ends no client
                if _is_cancelled():
                    raise
                return kind_of_error(error)
            return None

        return attempt


def _is_cancelled() -> bool:
    """Whether the client itself is cancelled: its function can also raise CancelledError."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _function(request: LoadRequest) -> Target:
    function = resolve(request.target)
    if inspect.iscoroutinefunction(function):
        return CoroutineTarget(function, request)
    return FunctionTarget(function, request)


def _takes_node(function: Callable[..., Any], name: str) -> bool:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions in C have none
        return True
    for given in (("node",), ()):
        try:
            signature.bind(*given)
        except TypeError:
            continue
        return bool(given)
    raise UsageError(
        f"{name} cannot be called by a client: its parameters are {signature}",
        cause="it is called with the node, or with nothing",
        remedies=[f"def {name.rpartition(':')[2]}(node): ...", "give the other parameters a default"],
    )


class HttpTarget:
    """A request over a connection that each client keeps."""

    is_async: Literal[False] = False

    def __init__(self, request: LoadRequest) -> None:
        self._request = request
        self._body = None if request.body is None else request.body.encode()

    def client(self, node: LoadNode) -> Attempt:
        asked = self._request
        connection = http.client.HTTPConnection(node.address, node.port(asked.port), timeout=asked.timeout)

        def attempt() -> str | None:
            try:
                connection.request(asked.method, asked.target, self._body)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                return kind_of_error(error)
            return None if answer.status < 400 else f"HTTP {answer.status}"

        return attempt


class CommandTarget:
    """A program that is started for each request."""

    is_async: Literal[False] = False

    def __init__(self, request: LoadRequest) -> None:
        self._request = request

    def client(self, node: LoadNode) -> Attempt:
        known = {"name": node.name, "address": node.address, "ports": dict(node.ports)}
        words = [render_text(word, {"node": known}) for word in self._request.words]
        if which(words[0]) is None:
            raise start_error(words[0], FileNotFoundError(ENOENT, "No such file", words[0]))
        environment = {**os.environ, "CLUSTERLIB_NODE": node.name, "CLUSTERLIB_NODE_ADDRESS": node.address}
        command = RepeatedCommand(words, environment)

        def attempt() -> str | None:
            try:
                end = command.run(self._request.timeout)
            except OSError as error:
                return kind_of_error(error)
            return None if end.code == 0 else _kind_of_end(end)

        return attempt


def _kind_of_end(end: CommandEnd) -> str:
    if end.code < 0:
        return f"killed by {_signal_name(-end.code)}"
    said = f": {end.said[:MOST_SAID]}" if end.said else ""
    return f"exit code {end.code}{said}"


def _signal_name(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:  # most real-time signals have no name
        return f"signal {number}"


KINDS: Mapping[TargetKind, Callable[[LoadRequest], Target]] = {
    TargetKind.FUNCTION: _function,
    TargetKind.HTTP: HttpTarget,
    TargetKind.COMMAND: CommandTarget,
}
