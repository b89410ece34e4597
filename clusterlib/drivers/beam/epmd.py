"""The service that knows the ports of Erlang nodes (epmd): clients for it, and a small one that
serves a cluster.

The real epmd is one process for the whole machine, often on all interfaces, and started by the
first node. A keeper that answers in its place learns at once that a node registered or ended, and
leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import struct
from collections.abc import Callable
from typing import Final

from clusterlib.drivers.beam.errors import EpmdUnavailable, NoDistribution
from clusterlib.frozen import frozen
from clusterlib.waiting import Deadline

__all__ = ["STANDARD_PORT", "Directory", "NameServer", "names", "port_of", "usual_port"]

STANDARD_PORT: Final = 4369
LARGEST_REQUEST: Final = 2048
LARGEST_ANSWER: Final = 2**20
ALIVE, NAMES, PORT_PLEASE = 120, 110, 122
ALIVE_ANSWER, ALIVE_ANSWER_OLD, PORT_ANSWER = 118, 121, 119
NORMAL_NODE, TCP, NEWEST, OLDEST = 77, 0, 6, 5
REMEDY: Final = "for a node of your own: start it with `-name`, or run `epmd -daemon` before it"


def port_of(
    name: str, *, address: str = "127.0.0.1", epmd_port: int | None = None, timeout: float = 5.0
) -> int:
    """The port on which the node of that name (without its host) accepts connections."""
    epmd_port = epmd_port or usual_port()
    answer = _ask(bytes((PORT_PLEASE,)) + name.encode(), address, epmd_port, timeout)
    if len(answer) >= 4 and answer[0] == PORT_ANSWER and answer[1] == 0:
        return int.from_bytes(answer[2:4])
    if len(answer) < 2 or answer[0] != PORT_ANSWER:
        raise _foreign(address, epmd_port, answer)
    known = names(address=address, epmd_port=epmd_port, timeout=timeout)
    raise NoDistribution(
        f"no node named {name} is registered",
        cause=f"the epmd at {address}:{epmd_port} does not know it",
        evidence=[f"registered: {', '.join(sorted(known)) or 'no node at all'}"],
        remedies=[
            "look into the first lines of the node's log",
            "is it registered at another epmd (ERL_EPMD_PORT)?",
        ],
    )


def names(
    *, address: str = "127.0.0.1", epmd_port: int | None = None, timeout: float = 5.0
) -> dict[str, int]:
    """All registered nodes (without their host), and their ports."""
    epmd_port = epmd_port or usual_port()
    answer = _ask(bytes((NAMES,)), address, epmd_port, timeout)
    if len(answer) < 4 or int.from_bytes(answer[:4]) != epmd_port:
        raise _foreign(address, epmd_port, answer)
    found: dict[str, int] = {}
    for line in answer[4:].decode("utf-8", "replace").splitlines():
        match line.split():
            case ["name", name, "at", "port", port] if port.isdecimal():
                found[name] = int(port)
    return found


def usual_port() -> int:
    """The usual port of epmd."""
    port = os.environ.get("ERL_EPMD_PORT", "")
    return int(port) if port.isdecimal() else STANDARD_PORT


def _ask(request: bytes, address: str, port: int, timeout: float) -> bytes:
    deadline = Deadline(timeout)
    answer = bytearray()
    try:
        with socket.create_connection((address, port), timeout=timeout) as channel:
            channel.sendall(struct.pack(">H", len(request)) + request)
            while len(answer) < LARGEST_ANSWER:
                channel.settimeout(max(deadline.left, 0.001))
                if not (data := channel.recv(65536)):
                    return bytes(answer)
                answer += data
    except TimeoutError as error:
        raise EpmdUnavailable(
            f"the listener at {address}:{port} does not answer as epmd would",
            cause=f"nothing within {timeout:g} s",
            remedies=[f"ss -ltnp 'sport = :{port}'"],
        ) from error
    except OSError as error:
        raise EpmdUnavailable(
            f"no epmd answers at {address}:{port}", cause=str(error), remedies=["epmd -names", REMEDY]
        ) from error
    raise _foreign(address, port, bytes(answer))


def _foreign(address: str, port: int, answer: bytes) -> EpmdUnavailable:
    return EpmdUnavailable(
        f"what listens at {address}:{port} is no epmd",
        cause=f"it answered {answer[:40]!r}" if answer else "it closed the connection without an answer",
        remedies=[f"ss -ltnp 'sport = :{port}'"],
    )


@frozen
class _Entry:
    port: int
    description: bytes
    """The rest of the registration, as other nodes receive it."""


class Directory:
    """Which nodes of a cluster are registered. One directory may be served at several ports."""

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self._entries: dict[str, _Entry] = {}
        self._on_change = on_change

    @property
    def ports(self) -> dict[str, int]:
        return {name: entry.port for name, entry in self._entries.items()}

    def add(self, name: str, port: int, description: bytes) -> bool:
        """False if the name is in use."""
        if name in self._entries:
            return False
        self._entries[name] = _Entry(port, description)
        self._on_change()
        return True

    def remove(self, name: str) -> None:
        if self._entries.pop(name, None):
            self._on_change()

    def entry(self, name: str) -> _Entry | None:
        return self._entries.get(name)


class NameServer:
    """Serves a directory on a socket that already listens. It belongs to the event loop that
    started it.

    A node is registered as long as it keeps its connection. `route` may return another port than
    the true one, such as that of a proxy between two nodes."""

    def __init__(self, directory: Directory, route: Callable[[str, int], int] = lambda _, port: port) -> None:
        self._directory = directory
        self._route = route
        self._server: asyncio.Server | None = None
        self._port = 0
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self, listener: socket.socket) -> None:
        self._port = listener.getsockname()[1]
        self._server = await asyncio.start_server(self._serve, sock=listener)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            size = int.from_bytes(await reader.readexactly(2))
            if 1 <= size <= LARGEST_REQUEST:
                await self._answer(await reader.readexactly(size), reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # it ended in the middle of a request: nothing was promised yet
        finally:
            self._open.discard(writer)
            with contextlib.suppress(OSError):
                writer.close()

    async def _answer(
        self, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        match request[0]:
            case code if code == PORT_PLEASE:
                writer.write(self._port_answer(request[1:].decode("utf-8", "replace")))
            case code if code == NAMES:
                lines = (f"name {name} at port {port}\n" for name, port in self._directory.ports.items())
                writer.write(self._port.to_bytes(4) + "".join(lines).encode())
            case code if code == ALIVE and len(request) >= 13:
                await self._register(request[1:], reader, writer)
        await writer.drain()

    def _port_answer(self, name: str) -> bytes:
        entry = self._directory.entry(name)
        if entry is None:
            return bytes((PORT_ANSWER, 1))
        return bytes((PORT_ANSWER, 0)) + struct.pack(">H", self._route(name, entry.port)) + entry.description

    async def _register(
        self, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """port, kind, protocol, highest, lowest, name, extra; then silence for as long as the node
        lives."""
        port, highest, size = struct.unpack_from(">HxxH2xH", request)
        name = request[10 : 10 + size].decode("utf-8", "replace")
        accepted = self._directory.add(name, port, request[2:])
        creation = secrets.randbelow(2**32 - 4) + 4 if highest >= NEWEST else secrets.randbelow(3) + 1
        shape = ">BBI" if highest >= NEWEST else ">BBH"
        code = ALIVE_ANSWER if highest >= NEWEST else ALIVE_ANSWER_OLD
        writer.write(struct.pack(shape, code, 0 if accepted else 1, creation))
        if not accepted:
            return
        try:
            await writer.drain()
            while await reader.read(1024):
                pass
        finally:
            self._directory.remove(name)
