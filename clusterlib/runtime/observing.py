"""Answers questions about what this node does, also while its event loop is blocked.

A question is a file in the folder of the node, which its asker holds locked: the lock ends with the
asker. A signal says that there is one. Its handler starts a thread, which answers with another
file. So a node that is never asked pays only for the registration of a handler."""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import fcntl
import json
import os
import signal
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["ANSWER", "BEGUN", "QUESTION", "SIGNAL", "allow_observing"]

SIGNAL = signal.SIGRTMIN + 12 if hasattr(signal, "SIGRTMIN") else None
QUESTION, BEGUN, ANSWER = ".question", ".begun", ".answer"
"""The endings of the files of one question."""
LONGEST = 300.0
FASTEST = 1000.0
_sampling = threading.Lock()


def allow_observing(directory: str, loop: asyncio.AbstractEventLoop) -> None:
    """Called in the thread of the loop."""
    if SIGNAL is not None:
        signal.signal(SIGNAL, partial(_start, directory, loop, threading.get_ident()))


def _start(
    directory: str, loop: asyncio.AbstractEventLoop, loop_thread: int, _number: int, _frame: FrameType | None
) -> None:
    """The handler may interrupt `threading` while that holds its locks, so it does not use it."""
    with contextlib.suppress(RuntimeError):  # no more threads: the asker waits in vain, and says so
        _thread.start_new_thread(_answer_all, (Path(directory), loop, loop_thread))


def _answer_all(directory: Path, loop: asyncio.AbstractEventLoop, loop_thread: int) -> None:
    """Each in a thread of its own, because samples take long: signals that come at the same time
    call the handler once."""
    questions = list(directory.glob(f"*{QUESTION}"))
    for question in questions[1:]:
        with contextlib.suppress(RuntimeError):  # no more threads
            _thread.start_new_thread(_answer, (question, loop, loop_thread))
    for question in questions[:1]:
        _answer(question, loop, loop_thread)


def _answer(question: Path, loop: asyncio.AbstractEventLoop, loop_thread: int) -> None:
    begun = question.with_suffix(BEGUN)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(begun, flags, 0o600)
    except OSError:  # another thread has begun it
        return
    answered = False
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file, question.open("rb") as asked:
            json.dump(_found(json.load(asked), asked.fileno(), loop, loop_thread), file)
        if answered := _is_held(question):
            begun.replace(question.with_suffix(ANSWER))
        else:  # its asker has died
            question.unlink(missing_ok=True)
    except (OSError, ValueError):  # the asker waits in vain, and says so
        pass
    finally:
        if not answered:  # another signal may begin it again
            begun.unlink(missing_ok=True)


def _found(
    asked: Mapping[str, Any], lock: int, loop: asyncio.AbstractEventLoop, loop_thread: int
) -> dict[str, Any]:
    from clusterlib.runtime.sampling import activity, sampled

    if "seconds" not in asked:
        return activity(loop, loop_thread)
    if not _sampling.acquire(blocking=False):
        return {"busy": True}
    try:
        seconds, rate = min(float(asked["seconds"]), LONGEST), min(float(asked["rate"]), FASTEST)
        return sampled(loop_thread, seconds, max(rate, 1.0), partial(_is_locked, lock))
    finally:
        _sampling.release()


def _is_held(question: Path) -> bool:
    try:
        descriptor = os.open(question, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return _is_locked(descriptor)
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    """Whether the asker still holds its lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False
