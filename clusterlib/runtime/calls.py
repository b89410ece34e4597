"""Serves clients: runs functions in threads and coroutines on the loop, and answers questions about
the node.

A connection carries one call at a time, so no call waits behind another. A client opens more
connections instead."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import struct
import sys
from collections.abc import Callable, Coroutine
from contextvars import Context
from functools import partial
from typing import Any

from clusterlib.errors import ClusterError, NodeUnavailable, RemoteError
from clusterlib.frozen import frozen
from clusterlib.runtime import wire
from clusterlib.runtime.log import Log
from clusterlib.runtime.pickling import TooLarge, Unpicklable, dump, dump_error, dump_refusal, load
from clusterlib.runtime.sessions import SecuredSession
from clusterlib.runtime.targets import resolve
from clusterlib.runtime.wire import Buffer, FrameKind, HandshakeRefused
from clusterlib.runtime.workers import Workers

__all__ = ["Ask", "Calls"]

MOST_THREADS = 128
TARGET_SIZE = struct.Struct(">H")


@frozen
class Ask:
    """A question that a client may ask about the node itself.

    Quick ones are answered on the loop, even if all threads are busy."""

    answer: Callable[[Any], object]
    quick: bool = True


class Calls:
    """The requests of one node's clients."""

    def __init__(
        self,
        name: str,
        loop: asyncio.AbstractEventLoop,
        context: Context,
        limit: int,
        asks: dict[str, Ask],
        after_call: Callable[[], None],
        log: Log,
    ) -> None:
        self.name = name
        self.loop = loop
        self.context = context
        self.limit = limit
        self.asks = asks
        self.after_call = after_call
        self.log = log
        self.served = 0
        self.running = 0
        self.workers = Workers(name, MOST_THREADS)
        self._callers: set[_Caller] = set()

    def accept(self, session: SecuredSession) -> None:
        """A client has proven that it knows the cookie."""
        self._callers.add(_Caller(self, session))

    def left(self, caller: _Caller) -> None:
        self._callers.discard(caller)

    def stop(self) -> None:
        for caller in list(self._callers):
            caller.leave()
        self.workers.close()


class _Caller:
    """One connection of a client."""

    def __init__(self, calls: Calls, session: SecuredSession) -> None:
        self._calls = calls
        self._session = session
        self._busy = False
        self._task: asyncio.Task[None] | None = None
        session.on_frame = self._frame
        session.on_lost = self._lost

    def leave(self) -> None:
        self._session.abort()
        self._forget()

    def _frame(self, kind: int, payload: Buffer) -> None:
        if self._busy:
            raise HandshakeRefused("it sent a second request before the first was answered")
        self._busy = True
        calls = self._calls
        if kind == FrameKind.CALL:
            target, request = _split(payload)
            calls.served += 1
            calls.running += 1
            try:
                calls.workers.run(calls.context, partial(self._call, target, request))
            except NodeUnavailable as error:
                self._finish(FrameKind.RAISED, dump_refusal(error))
        elif kind == FrameKind.ASK:
            self._ask(payload)
        else:
            raise HandshakeRefused(f"it sent a frame of the unknown kind {kind}")

    def _lost(self, reason: str) -> None:
        if reason:
            self._calls.log.limited("client", f"dropped a client at {self._session.other}: {reason}")
        self._forget()

    def _forget(self) -> None:
        self._calls.left(self)
        if self._task is not None:
            self._task.cancel()

    # -- questions --------------------------------------------------------------------------------

    def _ask(self, payload: Buffer) -> None:
        try:
            name, argument = load(payload)
            ask = self._calls.asks.get(name)
        except Exception as error:
            raise HandshakeRefused("it asked a question that cannot be read") from error
        if ask is None:
            known = ", ".join(sorted(self._calls.asks))
            self._answer(
                FrameKind.RAISED,
                dump_refusal(RemoteError(f"a node cannot be asked for {name!r}", remedies=[known])),
            )
        elif ask.quick:
            self._reply_to(ask, argument)
        else:
            try:
                self._calls.workers.run(self._calls.context, partial(self._reply_to, ask, argument))
            except NodeUnavailable as error:
                self._answer(FrameKind.RAISED, dump_refusal(error))

    def _reply_to(self, ask: Ask, argument: object) -> None:
        try:
            self._answer(FrameKind.RESULT, dump(ask.answer(argument), self._calls.limit))
        except ClusterError as error:
            self._answer(FrameKind.RAISED, dump_refusal(error))
        except Exception as error:  # noqa: BLE001  whatever goes wrong is the asker's to know
            self._answer(FrameKind.RAISED, dump_error(error, self._calls.limit, skip=1))

    # -- calls, in a worker thread ----------------------------------------------------------------

    def _call(self, target: str, request: Buffer) -> None:
        try:
            named = resolve(target) if target else None
        except RemoteError as error:
            self._finish(FrameKind.RAISED, dump_refusal(error))
            return
        except BaseException as error:  # noqa: BLE001  the module of the user failed to import
            self._finish(FrameKind.RAISED, dump_error(error, self._calls.limit, skip=1))
            return
        try:
            function, arguments, keywords = (named, *load(request)) if named else load(request)
        except BaseException as error:  # noqa: BLE001  unpickling runs foreign code: anything can be raised
            missing = error.name if isinstance(error, ModuleNotFoundError) else None
            self._finish(
                FrameKind.UNREADABLE, dump((missing, f"{type(error).__name__}: {error}"), self._calls.limit)
            )
            return
        self._run(function, arguments, keywords)

    def _run(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> None:
        try:
            result = function(*arguments, **keywords)
        except BaseException as error:  # noqa: BLE001  SystemExit of a function must not end the node
            self._finish_printed(FrameKind.RAISED, dump_error(error, self._calls.limit, skip=1))
            return
        if inspect.iscoroutine(result):
            self._calls.loop.call_soon_threadsafe(self._await, result)
        else:
            self._finish_printed(FrameKind.RESULT, result)

    def _await(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        if not self._session.open:
            coroutine.close()
            self._calls.running -= 1
            return
        context = self._calls.context.copy()
        name = f"call of {getattr(coroutine, '__qualname__', 'a coroutine')}"
        self._task = self._calls.loop.create_task(self._awaited(coroutine), context=context, name=name)

    async def _awaited(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        try:
            result = await coroutine
        except asyncio.CancelledError:
            if not self._session.open:
                self._calls.running -= 1
                raise
            self._finish(
                FrameKind.RAISED,
                dump_refusal(RemoteError(f"{self._calls.name}: the coroutine was cancelled")),
            )
            return
        except BaseException as error:  # noqa: BLE001  SystemExit of a coroutine must not end the node
            raised = dump_error(error, self._calls.limit, skip=1)
            self._hand_over(partial(self._finish_printed, FrameKind.RAISED, raised))
            return
        finally:
            self._task = None
        self._hand_over(partial(self._finish_printed, FrameKind.RESULT, result))

    def _hand_over(self, finish: Callable[[], None]) -> None:
        """Pickles a large result in a thread, because the loop must send heartbeats.

        Without a free thread, this happens here.
        """
        try:
            self._calls.workers.run(self._calls.context, finish)
        except NodeUnavailable:
            finish()

    def _finish_printed(self, kind: FrameKind, answer: Any) -> None:
        """Flushes the output of the function before its answer is sent, so that the caller finds
        all of it in the log, including an incomplete line.
        """
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # any object that the user has put there
                stream.flush()
        self._finish(kind, answer)

    def _finish(self, kind: FrameKind, answer: Any) -> None:
        """Sends the end of a call.

        `answer` is the result itself, or an error that is already split into parts.
        """
        self._calls.running -= 1
        if not self._session.open:
            return
        try:
            parts = dump(answer, self._calls.limit) if kind is FrameKind.RESULT else answer
        except TooLarge as error:
            kind, parts = (
                FrameKind.RAISED,
                dump_refusal(RemoteError(f"{self._calls.name}: the result is too large", cause=str(error))),
            )
        except Unpicklable as error:
            what = f"{type(answer).__module__}.{type(answer).__qualname__}"
            problem = f"{self._calls.name}: the result, a {what}, cannot be sent back"
            kind, parts = FrameKind.RAISED, dump_refusal(RemoteError(problem, cause=str(error)))
        self._answer(kind, parts)
        self._calls.after_call()

    def _answer(self, kind: FrameKind, parts: list[Buffer]) -> None:
        self._busy = False  # before the answer is sent: the next request may arrive at once
        size = sum(len(part) for part in parts)
        header = wire.frame_header(kind, size)
        if len(parts) == 1 and size <= 4096:
            self._session.pipe.send_from_thread([header + parts[0]])
        else:
            self._session.pipe.send_from_thread([header, *parts])


def _split(payload: Buffer) -> tuple[str, memoryview]:
    """The target of a call, and the pickle of everything else."""
    view = memoryview(payload)
    try:
        end = TARGET_SIZE.size + TARGET_SIZE.unpack_from(view)[0]
        target = bytes(view[TARGET_SIZE.size : end]).decode()
    except (struct.error, UnicodeDecodeError) as error:
        raise HandshakeRefused("it sent a call that cannot be read") from error
    if end >= len(view):
        raise HandshakeRefused("it sent a call without its arguments")
    return target, view[end:]
