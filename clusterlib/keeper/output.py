"""Reads the output of a node from its pipe, in pieces, so that no node can occupy the keeper."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from clusterlib.hosts.logs import unread

__all__ = ["Output"]

PIECE = 65536
MOST_LAST_WORDS = 16
"""Pieces read at a node's end.

A pipe holds one, or more if it was enlarged, and a child of the node may continue to write."""


class Output:
    """The keeper's end of a node's pipe.

    It may outlive the node if a child of it holds the other end open."""

    def __init__(self, heard: Callable[[bytes], None]) -> None:
        self._heard = heard
        self._pipe: int | None = None

    def follow(self, pipe: int) -> None:
        """Reads this pipe from now on, and releases the previous one."""
        self.release()
        self._pipe = pipe
        asyncio.get_running_loop().add_reader(pipe, self._read)

    def drain(self) -> None:
        """Reads what is in the pipe now, and not what comes meanwhile."""
        if self._pipe is not None:
            for _ in range(-(-unread(self._pipe) // PIECE)):
                self._read()

    def read_last_words(self) -> None:
        """The node has ended: reads the rest of its output."""
        for _ in range(MOST_LAST_WORDS):
            self._read()

    def release(self) -> None:
        """Idempotent."""
        if self._pipe is not None:
            asyncio.get_running_loop().remove_reader(self._pipe)
            os.close(self._pipe)
            self._pipe = None

    def _read(self) -> None:
        if self._pipe is None:
            return
        try:
            data = os.read(self._pipe, PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._heard(data)
        else:
            self.release()
