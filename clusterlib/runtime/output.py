"""Directs `print` in a process with several nodes to the output of the node whose context
prints."""

from __future__ import annotations

import io
from contextvars import ContextVar
from typing import TextIO

__all__ = ["NodeOutput", "print_to"]

_output: ContextVar[TextIO] = ContextVar("clusterlib_output")


def print_to(stream: TextIO) -> None:
    """Directs the output of this context, and of everything that is started in it, to `stream`."""
    _output.set(stream)


class NodeOutput(io.TextIOBase):
    """Replaces sys.stdout and sys.stderr."""

    def __init__(self, fallback: TextIO) -> None:
        super().__init__()
        self._fallback = fallback

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute in the stub
        return "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        stream = _output.get(self._fallback)
        try:
            return stream.write(text)
        except ValueError:  # the node is gone and its output closed, but one of its threads still prints
            return len(text)

    def flush(self) -> None:
        stream = _output.get(self._fallback)
        if not stream.closed:
            stream.flush()

    def fileno(self) -> int:
        return _output.get(self._fallback).fileno()
