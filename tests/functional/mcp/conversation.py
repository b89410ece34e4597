"""A client that speaks the protocol by hand, to say what no library would let us say."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from clusterlib.waiting import Deadline, wait_readable

__all__ = ["Conversation"]

PATIENCE = 60.0


class Conversation:
    def __init__(self, project: Path, *options: str, client: str = "tester") -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clusterlib", "mcp", *options],
            cwd=project,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        self._buffer = b""
        self._number = 0
        self.seen: list[Any] = []
        """All that was received, in order."""
        asked = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": client}}
        self.greeting = self.ask("initialize", asked)["result"]
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.hang_up()
        self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()

    @property
    def printed(self) -> str:
        self._log.seek(0)
        return self._log.read().decode()

    def hang_up(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, message: object) -> None:
        self.write(json.dumps(message).encode() + b"\n")

    def begin(self, method: str, params: Mapping[str, Any] | None = None) -> int:
        """Sends a request, and returns its id."""
        self._number += 1
        self.send({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params or {}})
        return self._number

    def receive(self) -> Any:
        """The next message. Every line on stdout must be one."""
        deadline = Deadline(PATIENCE)
        assert self.process.stdout is not None
        while b"\n" not in self._buffer:
            assert wait_readable(self.process.stdout.fileno(), deadline.left), f"no answer\n{self.printed}"
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, f"the server has ended\n{self.printed}"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        self.seen.append(message)
        return message

    def answer(self, number: int | None) -> Any:
        while True:
            message = self.receive()
            if "method" not in message and message["id"] == number:
                return message

    def ask(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        return self.answer(self.begin(method, params))

    def call(self, tool: str, **arguments: object) -> Any:
        """The result of a tool."""
        return self.ask("tools/call", {"name": tool, "arguments": arguments})["result"]

    def tools(self) -> dict[str, Any]:
        return {one["name"]: one for one in self.ask("tools/list")["result"]["tools"]}

    def notification(self, method: str) -> Any:
        while True:
            message = self.receive()
            if message.get("method") == method:
                return message.get("params", {})

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
