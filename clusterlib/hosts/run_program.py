"""Runs a short-lived program for the keeper: its output and its exit code."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

from clusterlib.frozen import frozen
from clusterlib.hosts.api import Exit, Host, Process, Spawn

__all__ = ["ProgramRun", "run_program"]

MOST_KEPT = 256 * 1024
PIECE = 65536
MOST_PIECES = 64


@frozen
class ProgramRun:
    exit: Exit
    output: str

    @property
    def lines(self) -> list[str]:
        return self.output.splitlines()


async def run_program(host: Host, order: Spawn, hear: Callable[[bytes], None] = lambda _: None) -> ProgramRun:
    """Runs it to its end.

    `hear` gets its output as it is printed. If this is cancelled, the program is killed and waited
    for."""
    process = await host.spawn(order)
    kept = bytearray()
    loop = asyncio.get_running_loop()

    def read() -> bool:
        """Reads a piece. False if there is none now, or none will come."""
        try:
            data = os.read(process.output, PIECE)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            loop.remove_reader(process.output)
            return False
        kept.extend(data)
        del kept[:-MOST_KEPT]
        hear(data)
        return True

    loop.add_reader(process.output, read)
    try:
        how = await _ended(process)
        for _ in range(MOST_PIECES):  # a child that it left may continue to print
            if not read():
                break
    finally:
        loop.remove_reader(process.output)
        os.close(process.output)
    return ProgramRun(how, kept.decode("utf-8", errors="replace"))


async def _ended(process: Process) -> Exit:
    try:
        return await asyncio.shield(process.exit)
    except asyncio.CancelledError:
        process.signal(signal.SIGKILL)
        await asyncio.shield(process.exit)
        raise
