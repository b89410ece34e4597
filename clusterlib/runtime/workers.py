"""Threads that run the user's functions.

They are daemons, so a function that hangs cannot prevent a node from ending."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from contextvars import Context
from queue import SimpleQueue

from clusterlib.errors import NodeUnavailable
from clusterlib.remedies import do

__all__ = ["Workers"]

Job = Callable[[], None]


class Workers:
    """Starts threads as they are needed, up to a limit, and reuses those that are idle."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._jobs: SimpleQueue[tuple[Context, Job] | None] = SimpleQueue()
        self._guard = threading.Lock()
        self._waiting = 0  # threads without a job, less jobs without a thread
        self._threads = 0

    @property
    def threads(self) -> int:
        return self._threads

    def run(self, context: Context, job: Job) -> None:
        """Runs `job`, which must not raise, in a copy of `context`.

        Raises NodeUnavailable if there is no thread for it.
        """
        with self._guard:
            self._waiting -= 1
            start = self._waiting < 0 and self._threads < self._most
            if start:
                self._threads += 1
        self._jobs.put((context.copy(), job))
        if start:
            self._start()

    def _start(self) -> None:
        try:
            threading.Thread(
                target=self._work, name=f"{self._name} call {self._threads}", daemon=True
            ).start()
        except RuntimeError as error:  # the user may not have more threads
            with self._guard:
                self._threads -= 1
                if self._threads:
                    return  # another thread runs the job when it has finished its own
                self._jobs.get()
                self._waiting += 1
            raise NodeUnavailable(
                f"{self._name} has no thread to run it in",
                cause=str(error),
                remedies=["ulimit -u  # processes and threads allowed", do("cluster.doctor")],
            ) from error

    def close(self) -> None:
        """Lets idle threads end."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _work(self) -> None:
        while True:
            with self._guard:
                self._waiting += 1
            task = self._jobs.get()
            if task is None:
                return
            context, job = task
            try:
                context.run(job)
            except BaseException:  # noqa: BLE001  a bug of ours; the thread is needed, and the log must know
                traceback.print_exc()
            del task, context, job  # a large argument must not live on until the next call
