"""The messages that wait for one process, in the order of their arrival."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Self

from clusterlib.errors import ClusterError

__all__ = ["DEFAULT_ROOM", "AskedMessage", "Mailbox"]

DEFAULT_ROOM = 10_000
FEWEST_KEPT = 16


class AskedMessage:
    """A message whose sender waits for an answer. The first answer counts."""

    __slots__ = ("_answer", "message")

    def __init__(self, message: Any, answer: Callable[[Any, ClusterError | None], None]) -> None:
        self.message = message
        self._answer: Callable[[Any, ClusterError | None], None] | None = answer

    @property
    def answered(self) -> bool:
        return self._answer is None

    def reply(self, value: Any) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer(value, None)

    def refuse(self, error: ClusterError) -> None:
        """There will be no answer, for this reason."""
        answer, self._answer = self._answer, None
        if answer is not None:
            answer(None, error)


class Mailbox:
    """A bounded queue with one reader: `async for message in box`.

    Everything happens on the loop of the node."""

    __slots__ = (
        "_asked",
        "_closed",
        "_items",
        "_kept",
        "_loop",
        "_most_kept",
        "_waiting",
        "lost",
        "room",
        "successor",
        "taken",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, room: int = DEFAULT_ROOM) -> None:
        self.room = room
        self.successor: tuple[Any, ...] | None = None
        """The arguments of the process that continues this one on another node."""
        self.lost = 0
        """Messages that came while it was full."""
        self._loop = loop
        self._items: deque[Any] = deque()
        self._waiting: asyncio.Future[None] | None = None
        self._asked: AskedMessage | None = None
        self._kept: list[AskedMessage] = []
        """Requests that were taken before the last message, and not answered at once."""
        self._most_kept = FEWEST_KEPT
        self.taken = 0
        """How many messages the process has taken."""
        self._closed = False

    def __repr__(self) -> str:
        return f"<Mailbox with {len(self)} of {self.room} messages>"

    def __len__(self) -> int:
        return len(self._items)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        return await self.take()

    @property
    def asked(self) -> AskedMessage | None:
        """The request that the message taken last was; None if its sender waits for nothing.

        Keep it to answer later: `asked.reply(value)`."""
        return self._asked

    def reply(self, value: Any) -> None:
        """Answers the message taken last. Does nothing if its sender waits for no answer."""
        if self._asked is not None:
            self._asked.reply(value)

    def hand_over(self, *args: Any) -> None:
        """Says with which arguments this process is continued on another node."""
        self.successor = args

    async def take(self) -> Any:
        """The next message; waits for it."""
        while not self._items:
            self._waiting = self._loop.create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        return self._next()

    def waiting(self, most: int) -> list[Any]:
        """The first messages that wait, for people who look."""
        return [
            item.message if isinstance(item, AskedMessage) else item
            for item, _ in zip(self._items, range(most), strict=False)
        ]

    def put(self, message: Any) -> bool:
        """False if there is no room, or the process has ended."""
        if self._closed:
            return False
        if len(self._items) >= self.room:
            self.lost += 1
            return False
        self._append(message)
        return True

    def _append(self, message: Any) -> None:
        self._items.append(message)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def put_notice(self, message: Any) -> None:
        """A message of the runtime, for which there is always room: there are few of them."""
        if not self._closed:
            self._append(message)

    def close(self) -> list[AskedMessage]:
        """Takes no more messages. Returns the requests that were not answered."""
        self._closed = True
        asked = [item for item in self._items if isinstance(item, AskedMessage)]
        if self._asked is not None:
            asked.insert(0, self._asked)
        unanswered = [one for one in (*self._kept, *asked) if not one.answered]
        self._items.clear()
        self._kept.clear()
        return unanswered

    def _keep(self, request: AskedMessage) -> None:
        """It may be answered later, or when the process ends.

        A process that never answers does not collect requests for ever: of those without an answer
        the newest are kept, as many as the mailbox has room for."""
        self._kept.append(request)
        if len(self._kept) >= self._most_kept:
            self._kept = [one for one in self._kept if not one.answered][-self.room :]
            self._most_kept = 2 * len(self._kept) + FEWEST_KEPT

    def _next(self) -> Any:
        item = self._items.popleft()
        self.taken += 1
        if self._asked is not None and not self._asked.answered:
            self._keep(self._asked)
        self._asked = item if isinstance(item, AskedMessage) else None
        return item.message if isinstance(item, AskedMessage) else item
