"""Which requests are refused when a process ends, and what always has room."""

from __future__ import annotations

import asyncio
from typing import Any

from clusterlib.errors import ClusterError, ProcessGone
from clusterlib.runtime.processes.mailbox import AskedMessage, Mailbox


class Asker:
    def __init__(self) -> None:
        self.answers: list[Any] = []

    def asks(self, box: Mailbox, message: object) -> bool:
        return box.put(AskedMessage(message, self.answered))

    def answered(self, value: Any, error: ClusterError | None) -> None:
        self.answers.append(value if error is None else error)


def test_a_request_that_was_kept_for_later_is_refused_when_the_process_ends() -> None:
    async def story() -> None:
        box, asker = Mailbox(asyncio.get_running_loop()), Asker()
        for message in ("kept", "answered later", "answered at once", "taken last", "waiting"):
            asker.asks(box, message)
        await box.take()
        await box.take()
        later = box.asked
        await box.take()
        box.reply("at once")
        await box.take()
        assert later is not None
        later.reply("later")

        unanswered = box.close()

        assert [request.message for request in unanswered] == ["kept", "taken last", "waiting"]
        for request in unanswered:
            request.refuse(ProcessGone("it ended"))
        assert [type(answer) for answer in asker.answers[2:]] == [ProcessGone] * 3

    asyncio.run(story())


def test_a_process_that_never_answers_does_not_collect_requests_for_ever() -> None:
    async def story() -> None:
        box, asker = Mailbox(asyncio.get_running_loop(), room=10), Asker()
        for number in range(1000):
            asker.asks(box, number)
            await box.take()

        unanswered = [request.message for request in box.close()]

        assert unanswered == list(range(1000 - len(unanswered), 1000))
        assert 10 <= len(unanswered) <= 40

    asyncio.run(story())


def test_there_is_always_room_for_a_message_of_the_runtime() -> None:
    async def story() -> None:
        box = Mailbox(asyncio.get_running_loop(), room=1)
        assert box.put("first")
        assert not box.put("second")

        box.put_notice("its node leaves")

        assert [await box.take(), await box.take()] == ["first", "its node leaves"]
        assert box.lost == 1

    asyncio.run(story())
