"""What a node does at this moment: the stacks of its coroutines and threads.

The event loop answers with both. If it is blocked, the keeper sends a signal, and faulthandler
writes the stacks of the threads from C, even while a function holds the interpreter."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["SIGNAL", "STACKS_FILE", "allow_dump", "running_stacks"]

STACKS_FILE = "stacks.txt"
"""In the folder of the node."""
SIGNAL = signal.SIGRTMIN + 11 if hasattr(signal, "SIGRTMIN") else None
"""A signal that programs do not normally use; None on systems without real-time signals."""
DEEPEST = 30
OURS = f"{Path(__file__).parent}{os.sep}"


def allow_dump(directory: str) -> None:
    """Registers the signal that writes the stacks of all threads to a file in the node's folder."""
    if SIGNAL is not None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        faulthandler.register(SIGNAL, os.open(Path(directory) / STACKS_FILE, flags, 0o600), all_threads=True)


def running_stacks(loop: asyncio.AbstractEventLoop, name: str) -> list[str]:
    """The coroutines and threads of the user's code, each with its stack, the innermost call last.

    Called on the loop. The thread of the loop itself is left out."""
    lines: list[str] = []
    for task in asyncio.all_tasks(loop):
        frames = [frame for frame in _awaiting(task.get_coro()) if not _is_ours(frame)]
        if frames:
            lines += [f"coroutine {task.get_name()}:", *_shown(frames)]
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():  # noqa: SLF001 - the documented way, in spite of its name
        if ident != threading.get_ident():
            called = [one for one in _frames(frame) if not _is_ours(one) and not _is_threading(one)]
            lines += [f"thread {names.get(ident, ident)}:", *_shown(called)] if called else []
    return lines or [f"{name} runs no code of yours"]


def _awaiting(coroutine: Any) -> Iterator[FrameType]:
    """The frames of a waiting coroutine, and of everything that it waits for: a task has only the
    outermost."""
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None:
            yield frame
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)


def _frames(frame: FrameType | None) -> list[FrameType]:
    found: list[FrameType] = []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found[::-1]


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(OURS)


def _is_threading(frame: FrameType) -> bool:
    return frame.f_code.co_filename == threading.__file__ and frame.f_code.co_name.startswith("_bootstrap")


def _shown(frames: list[FrameType]) -> list[str]:
    summary = traceback.StackSummary.extract((frame, frame.f_lineno) for frame in frames[-DEEPEST:])
    return [f"  {line}" for entry in summary.format() for line in entry.rstrip("\n").split("\n")]
