"""A failed test shows no frames of clusterlib: pytest points at the test's own line, and --pdb
begins there.

`--full-trace` shows all of them, as well as pytest's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from traceback import walk_tb
from types import FrameType, TracebackType

import pytest

from clusterlib.errors import ClusterError
from clusterlib.testing.planning import FAULT, NEED

__all__ = ["Tracebacks", "hide_our_frames"]

MACHINERY = frozenset({"_pytest", "pluggy"})
STANDARD_LIBRARY = os.path.join(os.path.dirname(os.__file__), "")  # noqa: PTH118, PTH120 - compared with file names, which are texts
INSTALLED = ("site-packages", "dist-packages")


class Tracebacks:
    """A separate plugin: tests of unittest have their error only when this hook is called, not yet
    when its wrappers begin."""

    @pytest.hookimpl
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        if call.excinfo is not None and (NEED in item.stash or FAULT in item.stash):
            hide_our_frames(call.excinfo.value)


def hide_our_frames(error: BaseException | None) -> None:
    """Hides the frames between the test and the error, in the error and in its causes."""
    met: set[int] = set()
    while error is not None and id(error) not in met:
        met.add(id(error))
        ours = list(_ours(error.__traceback__))
        theirs = any(
            _root(frame) not in MACHINERY for frame in _frames(error.__traceback__) if frame not in ours
        )
        if theirs:  # else it would show nothing at all
            for frame in ours:
                frame.f_locals["__tracebackhide__"] = True  # what pytest and its debugger look for
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if isinstance(error, ClusterError) and cause is not None and _is_inner(cause):
            error.__suppress_context__, error.__cause__ = True, None
            return
        error = cause


def _is_inner(cause: BaseException) -> bool:
    """Whether it was raised and caught inside of clusterlib, whose errors explain their cause
    themselves."""
    ours = list(_ours(cause.__traceback__))
    return bool(ours) and all(frame in ours for frame in _frames(cause.__traceback__))


def _ours(traceback: TracebackType | None) -> Iterator[FrameType]:
    """The frames of clusterlib, and those of the standard library that it calls, or that lead from
    a test to it: a `with` does."""
    frames = list(_frames(traceback))
    ours = {place for place, frame in enumerate(frames) if _root(frame) == "clusterlib"}
    for way in (range(len(frames)), reversed(range(len(frames)))):
        beside = False
        for place in way:
            beside = place in ours or (beside and _is_standard(frames[place]))
            if beside:
                ours.add(place)
    for place in sorted(ours):
        if frames[place].f_locals is not frames[place].f_globals:
            yield frames[place]


def _is_standard(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    return name.startswith(STANDARD_LIBRARY) and not any(part in name for part in INSTALLED)


def _frames(traceback: TracebackType | None) -> Iterator[FrameType]:
    return (frame for frame, _ in walk_tb(traceback))


def _root(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
