"""A server of Starlette and uvicorn with one route, which answers with the JSON of a file.

    python -m bench.bare_rest FILE

Prints the port once it listens, and ends when its stdin is closed."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

__all__ = ["main"]


def main(file: Path) -> None:
    document = json.loads(file.read_text())

    async def answer(_: Request) -> JSONResponse:
        return JSONResponse(document)

    listener = socket.socket(
        socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )  # so asyncio sets TCP_NODELAY
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    config = uvicorn.Config(Starlette(routes=[Route("/", answer)]), log_level="error", http="h11", ws="none")
    server = uvicorn.Server(config)

    async def serve() -> None:
        asyncio.get_running_loop().add_reader(0, lambda: setattr(server, "should_exit", True))
        print(listener.getsockname()[1], flush=True)
        await server.serve(sockets=[listener])

    asyncio.run(serve())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
