"""The keeper's end of the line to an embedded node."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from clusterlib.drivers.api import Member, NodeSpec
from clusterlib.drivers.python.driver import PythonDriver, PythonLink
from clusterlib.network.ports import Claim

ROSTER = [Member(f"node{number}", "127.0.0.1", number) for number in range(500)]
NODE = NodeSpec("node1", "node", 1, "127.0.0.1", "localhost", {}, "/", 0)


def linked(story: Callable[[PythonLink, asyncio.StreamReader], Any]) -> None:
    async def go() -> None:
        ours, theirs = socket.socketpair()
        link = PythonLink(ours, [])
        link.begin(None, asyncio.Event())  # type: ignore[arg-type]  # the channel tells all
        reader, writer = await asyncio.open_unix_connection(sock=theirs, limit=1 << 20)
        async with asyncio.timeout(30):
            await story(link, reader)
        link.close()
        writer.close()

    asyncio.run(go())


def test_a_node_that_does_not_listen_for_a_while_hears_everything_whole_and_in_order() -> None:
    async def story(link: PythonLink, reader: asyncio.StreamReader) -> None:
        for length in range(1, 101):
            link.expect(ROSTER[:length] * 5)
        heard = [json.loads(await reader.readline()) for _ in range(100)]
        assert [len(message["peers"]) for message in heard] == [length * 5 for length in range(1, 101)]

    linked(story)


def test_a_node_that_is_gone_has_no_ear_for_a_wish() -> None:
    async def story(link: PythonLink, reader: asyncio.StreamReader) -> None:
        assert await link.ask_to_stop()
        link.close()
        assert not await link.ask_to_stop()

    linked(story)


def test_a_port_that_cannot_be_listened_on_leaves_no_socket_open() -> None:
    class Taken(Claim):
        def listen(self, backlog: int = 512) -> socket.socket:
            raise OSError("taken")

    with socket.socket() as lock:
        good = Claim("127.0.0.1", 0, lock)
        with pytest.raises(OSError, match="taken"):
            PythonDriver().order(NODE, {"cluster": good, "http": Taken("127.0.0.1", 0, lock)})
