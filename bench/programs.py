"""Runs the measured programs as a user would: in a fresh interpreter, with cached bytecode."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "Program", "echo_server", "environment", "interpreters", "program", "run_timed"]

ROOT = Path(__file__).resolve().parents[1]
ANSWER_SECONDS = 120
ECHO = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
caller, _ = listener.accept()
caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
while data := caller.recv(64):
    caller.sendall(data)
"""


def environment(**more: str) -> dict[str, str]:
    """Ours, without variables that disable the bytecode cache or choose another cluster."""
    foreign = {"PYTHONDONTWRITEBYTECODE", "CLUSTERLIB_NAME", "CLUSTERLIB_PROJECT", "CLUSTERLIB_PROFILE", "CI"}
    return {name: value for name, value in os.environ.items() if name not in foreign} | more


class Program:
    """A running program that prints a line of JSON when it is ready, and one for each command."""

    def __init__(self, module: str, *arguments: str, **variables: str) -> None:
        self._module = module
        self.began = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=environment(**variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.first = self.hear()
        self.seconds = time.perf_counter() - self.began
        """From the start of the process to its first answer."""

    @property
    def pid(self) -> int:
        return self._process.pid

    def hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._module} ended with {self._process.wait()} and said nothing")
        facts: dict[str, Any] = json.loads(line)
        return facts

    def ask(self, command: str) -> dict[str, Any]:
        self.tell(command)
        return self.hear()

    def tell(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        """Closes its stdin, which ends it, and waits."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self._process.wait(ANSWER_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def program(module: str, *arguments: str, **variables: str) -> Any:
    running = Program(module, *arguments, **variables)
    try:
        yield running
    finally:
        running.close()


def run_timed(argv: list[str], directory: Path) -> float:
    """Seconds a command takes from start to end; it must succeed."""
    begin = time.perf_counter()
    done = subprocess.run(argv, cwd=directory, env=environment(), capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begin
    if done.returncode != 0:
        raise RuntimeError(f"{argv} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return seconds


def interpreters(count: int) -> float:
    """For scale: seconds until `count` interpreters, started at once, imported asyncio."""
    begin = time.perf_counter()
    started = [
        subprocess.Popen([sys.executable, "-c", "import asyncio"], env=environment()) for _ in range(count)
    ]
    for process in started:
        process.wait()
    return time.perf_counter() - begin


@contextlib.contextmanager
def echo_server() -> Any:
    """A bare TCP echo in a process of its own; gives its port."""
    with subprocess.Popen([sys.executable, "-c", ECHO], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()
