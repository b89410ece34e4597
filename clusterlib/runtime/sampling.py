"""What the threads and tasks of this process do: at this moment, or in samples over some seconds.

It is called by a thread of its own, so it also works while the event loop is blocked. It does not
while a function of C holds the interpreter."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import dropwhile
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

__all__ = ["activity", "sampled"]

DEEPEST = 100
MOST_STACKS = 5000
"""Different ones in a profile; further ones are counted without their frames."""
SHARE = 0.05
"""Of the time, at most so much is spent with taking samples."""
OURS = str(Path(__file__).parents[1])
SCAFFOLD = (OURS, str(Path(asyncio.__file__).parent), threading.__file__, "<frozen ")
"""What stands below the code of a user on each stack."""
LOOP = "event loop"


def activity(loop: asyncio.AbstractEventLoop, loop_thread: int) -> dict[str, Any]:
    names = _thread_names(loop_thread)
    threads = []
    for ident, frame in sys._current_frames().items():  # noqa: SLF001 - the documented way, in spite of its name
        if ident != threading.get_ident():
            frames = [_shown(one.f_code, one.f_lineno) for one in _of_user(_frames(frame))]
            threads.append(
                {
                    "name": names.get(ident, str(ident)),
                    "is_loop": ident == loop_thread,
                    "idle": _is_idle(frame.f_code),
                    "frames": frames[-DEEPEST:],
                }
            )
    tasks = [
        {
            "name": task.get_name(),
            "frames": [_shown(one.f_code, one.f_lineno) for one in _of_user([*_awaiting(task.get_coro())])][
                -DEEPEST:
            ],
        }
        for task in asyncio.all_tasks(loop)
    ]
    return {"threads": threads, "tasks": sorted(tasks, key=lambda one: str(one["name"]))}


def sampled(loop_thread: int, seconds: float, rate: float, wanted: Callable[[], bool]) -> dict[str, Any]:
    """Ends after these seconds, or when the samples are not `wanted` any more."""
    counts: Counter[tuple[str, tuple[CodeType, ...]]] = Counter()
    ours, pause = threading.get_ident(), threading.Event()
    began, spent, taken, idle = time.monotonic(), 0.0, 0, 0
    names = _thread_names(loop_thread)
    while (now := time.monotonic()) < began + seconds and wanted():
        worked = time.thread_time()
        for ident, frame in sys._current_frames().items():  # noqa: SLF001
            if ident == ours:
                continue
            if _is_idle(frame.f_code):
                idle += ident == loop_thread
                continue
            codes = dropwhile(_is_scaffold, (one.f_code for one in _frames(frame)))
            if ident not in names:
                names = _thread_names(loop_thread)
            root = names.get(ident, str(ident))
            stack = (root, tuple(codes)[:DEEPEST])
            counts[stack if stack in counts or len(counts) < MOST_STACKS else (root, ())] += 1
        taken += 1
        cost = time.thread_time() - worked
        spent += cost
        pause.wait(max(0.0, 1 / rate - (time.monotonic() - now), cost / SHARE))
    return {
        "seconds": round(time.monotonic() - began, 3),
        "samples": taken,
        "idle": idle,
        "cost": round(spent / max(time.monotonic() - began, 0.001), 5),
        "stacks": [
            {"count": count, "thread": root, "frames": [_shown(code, code.co_firstlineno) for code in codes]}
            for (root, codes), count in counts.items()
        ],
    }


def _thread_names(loop_thread: int) -> dict[int | None, str]:
    return {**{one.ident: one.name for one in threading.enumerate()}, loop_thread: LOOP}


def _is_idle(innermost: CodeType) -> bool:
    """Whether a thread with this on top waits for work."""
    return (innermost.co_name == "select" and innermost.co_filename.endswith("selectors.py")) or (
        innermost.co_name == "_work" and innermost.co_filename.startswith(OURS)
    )


def _of_user(frames: list[FrameType]) -> list[FrameType]:
    """Without what is below the code of the user; all of them if there is none."""
    return [*dropwhile(lambda one: _is_scaffold(one.f_code), frames)] or frames


def _is_scaffold(code: CodeType) -> bool:
    return code.co_filename.startswith(SCAFFOLD) or code.co_name == "<module>"


def _shown(code: CodeType, line: int) -> dict[str, Any]:
    name = getattr(code, "co_qualname", code.co_name)
    return {"function": name, "file": code.co_filename, "line": line or code.co_firstlineno}


def _frames(frame: FrameType | None) -> list[FrameType]:
    """The outermost first."""
    found: list[FrameType] = []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found[::-1]


def _awaiting(coroutine: Any) -> Iterator[FrameType]:
    """A waiting coroutine, and everything that it waits for."""
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None:
            yield frame
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
