"""A program at a terminal: what it shows is waited for, what is typed reaches it."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from typing import Self

from clusterlib.waiting import Deadline, poll

__all__ = ["Shell"]

PATIENCE = 60.0


class Shell:
    """`invoke cluster.shell NODE`, typed in a terminal that does not say what it is."""

    def __init__(self, node: str) -> None:
        self._ours, theirs = os.openpty()
        environment = {name: value for name, value in os.environ.items() if name != "TERM"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "clusterlib", "cluster.shell", node],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
        )
        os.close(theirs)
        self._heard = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)
        os.close(self._ours)

    def shows(self, words: str) -> None:
        assert poll(lambda: self._hears(words.encode()), Deadline(PATIENCE)), self._heard

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def ends(self) -> int:
        """Its exit code."""
        return self._process.wait(PATIENCE)

    def _hears(self, words: bytes) -> bool:
        while words not in self._heard and select.select([self._ours], [], [], 0)[0]:
            self._heard += os.read(self._ours, 65536)
        return words in self._heard
