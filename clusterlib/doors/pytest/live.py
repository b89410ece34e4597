"""Messages while tests run, past pytest's capture: everything with --cluster-verbose, else only
slow steps."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from clusterlib.doors.progress import Picture
from clusterlib.messages.event import Event
from clusterlib.waiting import backoff

__all__ = ["Live"]

PATIENCE = 2.0
"""Seconds after which a message says what is being waited for."""
SHOWN = 4


class Live:
    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._reporter: Any = config.pluginmanager.getplugin("terminalreporter")
        self.verbose = bool(config.option.cluster_verbose)
        self._picture = Picture()
        self._writing = threading.Lock()

    def event(self, event: Event) -> None:
        """Handles an event of a keeper during a wait."""
        self._picture.take(event)
        if self.verbose and (text := event.sentence()):
            self.line(text)

    def say(self, text: str) -> None:
        if self.verbose:
            self.line(text)

    def line(self, text: str) -> None:
        if self._reporter is None:
            return  # a worker of pytest-xdist has no terminal
        with self._writing, self._uncaptured():
            self._reporter.ensure_newline()
            if self._reporter._tw.width_of_current_line:  # noqa: SLF001 - dots of -q, of which the reporter itself does not know
                self._reporter.line("")
            self._reporter.write_line(f"clusterlib: {text}")

    @contextlib.contextmanager
    def waiting(self, who: str, what: str) -> Iterator[None]:
        """During this block, a message says now and then what it waits for."""
        self._picture = Picture()
        if self._reporter is None or self._reporter.verbosity < 0:
            yield
            return
        over = threading.Event()
        # The main thread waits for the keeper meanwhile, or shows its events, and joins this thread
        # before it continues.
        teller = threading.Thread(target=self._tell, args=(over, who, what), daemon=True)
        with contextlib.suppress(
            RuntimeError
        ):  # the user may have no more threads: then there are no messages
            teller.start()
        try:
            yield
        finally:
            over.set()
            if teller.is_alive():
                teller.join()

    def _tell(self, over: threading.Event, who: str, what: str) -> None:
        waited = 0.0
        for pause in backoff(PATIENCE, 2.0, 30.0):
            if over.wait(pause):
                return
            waited += pause
            self.line(f"{who} has waited {waited:.0f} s for {what}{self._state()}")

    def _state(self) -> str:
        picture = self._picture
        nodes = list(picture.nodes.items())  # events add to them while this thread reads
        if not nodes:
            return f": {picture.title}" if picture.title else ""
        late = [f"{name} is {line.step or line.state}" for name, line in nodes if line.state != "ready"]
        missing = ", ".join(late[:SHOWN]) + (f" and {len(late) - SHOWN} more" if len(late) > SHOWN else "")
        note = f"; {picture.note}" if picture.note else ""
        return (
            f": {len(nodes) - len(late)} of {len(nodes)} nodes are ready"
            + (f"; {missing}" if missing else "")
            + note
        )

    def _uncaptured(self) -> contextlib.AbstractContextManager[None]:
        capture: Any = self._config.pluginmanager.getplugin("capturemanager")
        return contextlib.nullcontext() if capture is None else capture.global_and_fixture_disabled()
