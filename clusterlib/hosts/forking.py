"""Work that is done in a fork of this process: it can be interrupted at any time, it cannot damage
us, and it ends with us."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import NoReturn

__all__ = ["Fork", "captured_output", "fork"]

PIECE = 65536
JOIN_SECONDS = 0.2


class Fork:
    """A child process that works for us."""

    def __init__(self, pid: int, answers: int) -> None:
        self.pid = pid
        self.answers = answers
        """What it writes can be read here, until it ends."""

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def close(self) -> None:
        """Ends it if it has not ended, and waits until it is gone."""
        os.close(self.answers)
        self.kill()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


def fork(work: Callable[[int], None]) -> Fork:
    """`work` is given the descriptor to write its answers to. Its standard input is empty, and it
    has no terminal.

    To be called by a process with one thread only: the child has no other."""
    answers, answers_to = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _work(work, answers, answers_to, parent)
    os.close(answers_to)
    return Fork(pid, answers)


def _work(work: Callable[[int], None], answers: int, answers_to: int, parent: int) -> NoReturn:
    code = 1
    try:
        os.setsid()  # without a terminal, which a command of ours would take from our parent's user
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _end_with(parent)
        os.close(answers)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        gc.freeze()
        work(answers_to)
        code = 0
    except KeyboardInterrupt:
        pass
    except BaseException:  # noqa: BLE001 - nothing is above us that could show it
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def _end_with(parent: int) -> None:
    """Interrupts us when the parent dies, where the kernel can do that."""
    if sys.platform == "linux":
        from clusterlib.hosts.kernel import die_with_parent

        die_with_parent(signal.SIGINT)
    if os.getppid() != parent:
        raise KeyboardInterrupt


@contextlib.contextmanager
def captured_output(most: int) -> Iterator[Callable[[], bytes]]:
    """What this process, and the programs that it starts, write to stdout and stderr.

    Gives a function that returns the last `most` bytes of it, once the context has ended."""
    kept = (os.dup(1), os.dup(2))
    source, sink = os.pipe()
    pieces: deque[bytes] = deque()
    size = 0

    def drain() -> None:
        nonlocal size
        while piece := os.read(source, PIECE):
            pieces.append(piece)
            size += len(piece)
            while size - len(pieces[0]) >= most:
                size -= len(pieces.popleft())

    reader = threading.Thread(target=drain, name="output", daemon=True)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.close(sink)
    reader.start()
    try:
        yield lambda: b"".join(pieces)[-most:]
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        for number, descriptor in enumerate(kept, 1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        reader.join(JOIN_SECONDS)  # a program that goes on in the background may hold the other end
