"""Messages between the processes' services of nodes, over the links that the nodes have anyway.

A node that is not linked gets a link when the first message for it is sent; until then messages
wait in order. What waits for a node is lost with it: its senders learn it from the members of the
cluster, not from here."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from typing import Any

from clusterlib.errors import ClusterError, NodeUnavailable, RemoteError
from clusterlib.runtime.attempts import PEER_FRAME_LIMIT
from clusterlib.runtime.links import Links
from clusterlib.runtime.log import Log
from clusterlib.runtime.pickling import TooLarge, Unpicklable, dump, load
from clusterlib.runtime.wire import Buffer, FrameKind

__all__ = ["Courier"]

ANSWER = "answer"
MOST_WAITING = 10_000


class Courier:
    """Sends (verb, arguments) to the same service of other nodes, and waits for answers."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, links: Links, log: Log, lives: Callable[[str], bool]
    ) -> None:
        self.verbs: dict[str, Callable[..., None]] = {}
        """What other nodes can tell this one."""
        self.questions: dict[str, Callable[..., asyncio.Future[Any]]] = {}
        """What other nodes can ask for."""
        self._loop = loop
        self._links = links
        self._log = log
        self._lives = lives
        self._numbers = itertools.count(1)
        self._asked: dict[int, tuple[str, asyncio.Future[Any]]] = {}
        self._waiting: dict[str, list[bytes]] = {}
        links.frames[FrameKind.PROCESSES] = self.received

    def tell(self, node: str, verb: str, *arguments: Any) -> None:
        """Sends, at once or as soon as there is a link. Raises RemoteError if an argument cannot be
        sent, NodeUnavailable if the node is known to be gone."""
        try:
            frame = b"".join(dump((verb, arguments), PEER_FRAME_LIMIT))
        except TooLarge as error:
            raise RemoteError(f"the message to {node} is too large", cause=str(error)) from error
        except Unpicklable as error:
            raise RemoteError(f"the message to {node} cannot be sent", cause=str(error)) from error
        if node not in self._waiting and self._links.tell(node, FrameKind.PROCESSES, frame):
            return
        if not self._lives(node):
            raise NodeUnavailable(f"{node} does not live, so nothing can be sent to it")
        waiting = self._waiting.setdefault(node, [])
        if len(waiting) >= MOST_WAITING:
            raise NodeUnavailable(
                f"{node} is not linked yet, and {MOST_WAITING} messages wait for it already"
            )
        waiting.append(frame)
        self._links.reach(node)

    def ask(self, node: str, verb: str, *arguments: Any) -> asyncio.Future[Any]:
        """Sends a question. The future gets the answer."""
        number = next(self._numbers)
        answer = self._loop.create_future()
        self._asked[number] = (node, answer)
        answer.add_done_callback(lambda _: self._asked.pop(number, None))
        try:
            self.tell(node, verb, number, *arguments)
        except ClusterError as error:
            answer.set_exception(error)
        return answer

    def linked(self, node: str) -> None:
        """There is a link to the node now."""
        for frame in self._waiting.pop(node, ()):
            self._links.tell(node, FrameKind.PROCESSES, frame)

    def lost(self, node: str, reason: str) -> None:
        """The node is gone: nothing more will come from it."""
        self._waiting.pop(node, None)
        for asked, answer in list(self._asked.values()):
            if asked == node and not answer.done():
                answer.set_exception(NodeUnavailable(f"{node} is gone", cause=reason))

    def received(self, node: str, payload: Buffer) -> None:
        try:
            verb, arguments = load(payload)
            if verb == ANSWER:
                self._answered(node, *arguments)
            elif verb in self.questions:
                self._asked_for(node, verb, *arguments)
            else:
                self.verbs[verb](*arguments)
        except Exception as error:  # noqa: BLE001  unpickling runs code of the project: anything can be raised
            self._log.limited("processes", f"a message of {node} cannot be taken: {error!r}")

    def _asked_for(self, node: str, verb: str, number: int, *arguments: Any) -> None:
        try:
            begun = self.questions[verb](*arguments)
        except ClusterError as error:
            self._refuse(node, number, error)
        else:
            begun.add_done_callback(lambda done: self._answer(node, number, done))

    def _answer(self, node: str, number: int, done: asyncio.Future[Any]) -> None:
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            self._refuse(node, number, error)
            return
        try:
            self.tell(node, ANSWER, number, done.result(), None)
        except ClusterError as problem:  # the value cannot be sent, which its receiver must know
            self._refuse(node, number, problem)

    def _refuse(self, node: str, number: int, error: BaseException) -> None:
        refusal = error if isinstance(error, ClusterError) else NodeUnavailable(str(error))
        with contextlib.suppress(ClusterError):  # there is no way to the node, which its senders learn
            self.tell(node, ANSWER, number, None, refusal.to_dict())

    def _answered(self, node: str, number: int, value: Any, refusal: dict[str, Any] | None) -> None:
        asked, answer = self._asked.get(number, ("", None))
        if answer is None or answer.done() or asked != node:
            return
        if refusal is None:
            answer.set_result(value)
        else:
            answer.set_exception(ClusterError.from_dict(refusal))
