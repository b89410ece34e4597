"""A program at a terminal: what it shows is waited for, what is typed reaches it."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from clusterlib.waiting import Deadline, poll

__all__ = ["Terminal"]

PATIENCE = 60.0
OWNED = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
"""The terminal becomes that of the session, so that Ctrl-C reaches the program."""
NOTHING = b"\0 that no program shows"
CONTROL = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\r")


class Terminal:
    """`clusterlib WORDS`, in a terminal of this type; without one, it does not say what it is."""

    def __init__(
        self,
        *words: str,
        folder: Path | None = None,
        term: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._ours, theirs = os.openpty()
        known = {name: value for name, value in os.environ.items() if name != "TERM"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", OWNED, sys.executable, "-m", "clusterlib", *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env={**known, **({"TERM": term} if term else {}), **(environment or {})},
            start_new_session=True,
        )
        os.close(theirs)
        self._heard = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)
        os.close(self._ours)

    def shows(self, words: str) -> str:
        """Waits for them. Returns what came before, which counts no more."""
        assert poll(lambda: self._hears(words.encode()), Deadline(PATIENCE)), self.text
        before, _, self._heard = self._plain.partition(words.encode())
        return before.decode(errors="replace")

    @property
    def text(self) -> str:
        """What it has shown since, without colours."""
        return self._plain.decode(errors="replace")

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def ends(self) -> int:
        """Its exit code."""
        return self._process.wait(PATIENCE)

    def rest(self) -> str:
        """What it shows until its end, which must be in order."""
        assert poll(lambda: self._hears(NOTHING) or self._process.poll() is not None, Deadline(PATIENCE))
        assert self.ends() == 0, self.text
        self._hears(NOTHING)
        return self.text

    @property
    def _plain(self) -> bytes:
        return CONTROL.sub(b"", self._heard)

    def _hears(self, words: bytes) -> bool:
        while words not in self._plain and select.select([self._ours], [], [], 0)[0]:
            try:
                self._heard += os.read(self._ours, 65536)
            except OSError:  # it has ended
                break
        return words in self._plain
