"""A real Chromium, driven through the DevTools protocol over two pipes."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clusterlib.waiting import Deadline, poll

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 120.0
"""Seconds: a browser that starts on a busy machine takes its time."""
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
    "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--disable-default-apps", "--mute-audio", "--remote-debugging-pipe",
)  # fmt: skip


def find_browser() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One page of a browser."""

    def __init__(self, browser: _Pipe, session: str) -> None:
        self._browser = browser
        self._session = session

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.ask(method, parameters, self._session)

    def look(self, width: int, height: int, *, dark: bool = False, scripts: bool = True) -> None:
        """Sets the size of the window, the colour scheme, and whether scripts may run."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Emulation.setScriptExecutionDisabled", value=not scripts)

    def open(self, path: Path) -> None:
        self.ask("Page.enable")
        self.ask("Page.navigate", url=path.as_uri())
        deadline = Deadline(PATIENCE)
        wanted = json.dumps(path.as_uri())
        ready = f"location.href.startsWith({wanted}) && document.readyState === 'complete'"
        assert poll(lambda: self.evaluate(ready), deadline), f"{path} was not loaded"

    def evaluate(self, expression: str) -> Any:
        """The value of an expression; it works on a page whose own scripts are forbidden, too."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def screenshot(self, path: Path, *, whole: bool = True) -> Path:
        answer = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))
        return path


class _Pipe:
    """Requests and answers, each ended by a zero byte."""

    def __init__(self, requests: int, answers: int) -> None:
        self._requests = requests
        self._answers = answers
        self._number = 0
        self._partial = b""

    def ask(self, method: str, parameters: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        self._number += 1
        request: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            request["sessionId"] = session
        data = json.dumps(request).encode() + b"\0"
        while data:
            data = data[os.write(self._requests, data) :]
        deadline = Deadline(PATIENCE)
        while True:
            answer = json.loads(self._next(deadline))
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return dict(answer["result"])

    def _next(self, deadline: Deadline) -> bytes:
        while b"\0" not in self._partial:
            readable, _, _ = select.select([self._answers], [], [], deadline.left)
            assert readable, "the browser does not answer"
            data = os.read(self._answers, 1 << 16)
            assert data, "the browser has gone"
            self._partial += data
        message, _, self._partial = self._partial.partition(b"\0")
        return message


@contextlib.contextmanager
def browser(program: str) -> Iterator[Page]:
    """Starts a browser with a profile of its own; it and all its helpers are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        theirs_in, ours_out = _high_pipe()
        ours_in, theirs_out = _high_pipe()
        quiet = os.open(os.devnull, os.O_RDWR)
        pid = os.posix_spawn(
            program,
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            {**os.environ, "HOME": profile},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, quiet, 0),
                (os.POSIX_SPAWN_DUP2, quiet, 1),
                (os.POSIX_SPAWN_DUP2, quiet, 2),
                (os.POSIX_SPAWN_DUP2, theirs_in, 3),
                (os.POSIX_SPAWN_DUP2, theirs_out, 4),
            ],
            setsid=True,
        )
        for descriptor in (theirs_in, theirs_out, quiet):
            os.close(descriptor)
        pipe = _Pipe(ours_out, ours_in)
        try:
            target = pipe.ask("Target.createTarget", {"url": "about:blank"})["targetId"]
            session = pipe.ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
            yield Page(pipe, session)
            pipe.ask("Browser.close", {})
        finally:
            os.close(ours_out)
            os.close(ours_in)
            _await_end(pid)


def _high_pipe() -> tuple[int, int]:
    """A pipe whose numbers are none of those that the browser expects its own at."""
    low = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 64) for end in low)
    for end in low:
        os.close(end)
    return high[0], high[1]


def _await_end(pid: int) -> None:
    """It ends when its pipe closes; if it does not, its session, which is ours alone, is ended."""

    def ended() -> bool:
        return os.waitpid(pid, os.WNOHANG)[0] == pid

    if not poll(ended, Deadline(10)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
