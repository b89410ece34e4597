"""The child that answers: `python -m clusterlib.doors.web CHANNEL`, started by `clusterlib serve`.

It ends when the other end of its channel is closed, so it never outlives what has started it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

import uvicorn

from clusterlib.doors.web.app import Application
from clusterlib.doors.web.protocol import BoundedProtocol
from clusterlib.operations.server_order import READY, receive_order

__all__ = ["main"]

GRACE_SECONDS = 3
"""For requests that run when the server ends."""


class ChildServer(uvicorn.Server):
    """Says when it is ready, and ends with its channel."""

    def __init__(self, config: uvicorn.Config, application: Application, channel: socket.socket) -> None:
        super().__init__(config)
        self._application = application
        self._channel = channel

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        asyncio.get_running_loop().add_reader(self._channel.fileno(), self._hear)
        self._channel.sendall(READY)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._application.close()
        await super().shutdown(sockets)

    def _hear(self) -> None:
        if not self._channel.recv(1024):
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            self.should_exit = True


def main(channel_number: int) -> None:
    channel = socket.socket(fileno=channel_number)
    order = receive_order(channel)
    sys.argv[0] = "clusterlib serve"  # in the event logs of clusters
    os.environ.pop("CLUSTERLIB_NAME", None)  # each request says which cluster it means
    token = Path(order.token_file).read_text("utf-8").strip()
    application = Application(order, token)
    config = uvicorn.Config(
        application,
        http=BoundedProtocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    listener = socket.socket(fileno=order.listener)
    asyncio.run(ChildServer(config, application, channel).serve(sockets=[listener]))
    sys.stderr.flush()
    os._exit(0)  # threads of operations that are not done are not waited for


if __name__ == "__main__":
    main(int(sys.argv[1]))
