"""The epmd of our own, asked by our own client."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from clusterlib.drivers.beam.epmd import Directory, NameServer, names, port_of
from clusterlib.errors import NoDistribution
from clusterlib.waiting import Deadline, poll_async

SECONDS = 20.0


def registration(name: str, port: int, newest: int = 6) -> bytes:
    body = struct.pack(">BHBBHHH", 120, port, 77, 0, newest, 5, len(name)) + name.encode() + bytes(2)
    return len(body).to_bytes(2) + body


def serving(story: Callable[[Directory, int], Awaitable[None]], **options: Any) -> None:
    async def tell() -> None:
        directory = Directory()
        server = NameServer(directory, **options)
        listener = socket.create_server(("127.0.0.1", 0))
        await server.start(listener)
        try:
            async with asyncio.timeout(SECONDS):
                await story(directory, listener.getsockname()[1])
        finally:
            server.close()
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*rest, return_exceptions=True)

    asyncio.run(tell())


async def register(port: int, request: bytes, size: int = 6) -> tuple[asyncio.StreamWriter, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    return writer, await reader.readexactly(size)


def test_a_node_is_known_from_its_registration_to_the_end_of_its_connection() -> None:
    async def story(directory: Directory, port: int) -> None:
        writer, answer = await register(port, registration("n1", 4711))
        assert answer[:2] == b"\x76\x00"
        assert int.from_bytes(answer[2:]) >= 4
        assert await asyncio.to_thread(names, epmd_port=port) == {"n1": 4711}
        assert await asyncio.to_thread(port_of, "n1", epmd_port=port) == 4711

        writer.close()
        assert await poll_async(lambda: not directory.ports, Deadline(SECONDS))
        with pytest.raises(NoDistribution, match="no node named n1"):
            await asyncio.to_thread(port_of, "n1", epmd_port=port)

    serving(story)


def test_a_name_in_use_is_refused_and_its_owner_stays() -> None:
    async def story(directory: Directory, port: int) -> None:
        first, _ = await register(port, registration("n1", 1))
        second, answer = await register(port, registration("n1", 2))
        assert answer[1] == 1
        second.close()
        await second.wait_closed()
        assert directory.ports == {"n1": 1}
        first.close()

    serving(story)


def test_an_older_node_is_answered_in_its_own_way() -> None:
    async def story(directory: Directory, port: int) -> None:
        writer, answer = await register(port, registration("old", 1, newest=5), size=4)
        assert answer[:2] == b"\x79\x00"
        assert 1 <= int.from_bytes(answer[2:]) <= 3
        writer.close()

    serving(story)


def test_a_route_leads_those_who_ask_to_a_proxy() -> None:
    async def story(directory: Directory, port: int) -> None:
        directory.add("n1", 1000, bytes(12))
        assert await asyncio.to_thread(port_of, "n1", epmd_port=port) == 2000

    serving(story, route=lambda name, port: port + 1000 if name == "n1" else port)


@pytest.mark.parametrize(
    "noise",
    [b"", b"\x00", b"\x00\x00", b"\xff\xff", b"\x00\x01\x78", b"\x00\x03k??", b"GET / HTTP/1.0\r\n\r\n"],
)
def test_noise_harms_nobody(noise: bytes) -> None:
    async def story(directory: Directory, port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(noise)
        writer.close()
        await writer.wait_closed()
        assert await asyncio.to_thread(names, epmd_port=port) == {}

    serving(story)
