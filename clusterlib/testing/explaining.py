"""Collects the explanation of a failed test: source, traceback, and the traceback of the node.

All of it is limited in size."""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlib.evidence.explained import LONGEST_LINE, Explained, Remote, Source, shortened
from clusterlib.runtime.pickling import RemoteTraceback

__all__ = ["explain"]

BEFORE, AFTER = 5, 2
"""Lines of source around the one that failed."""
INSTALLED = frozenset({"site-packages", "dist-packages"})
MOST_REMOTES = 3
LONGEST_REMOTE = 6000


def explain(
    report: pytest.TestReport, raised: pytest.ExceptionInfo[BaseException] | None, project: Path, file: Path
) -> Explained:
    """`file`: that of the test."""
    return Explained(
        sources=tuple(_sources(raised, project, file)) if raised is not None else (),
        remotes=tuple(_remotes(raised.value, project))[:MOST_REMOTES] if raised is not None else (),
        traceback=shortened(report.longreprtext),
    )


def _sources(raised: pytest.ExceptionInfo[BaseException], project: Path, file: Path) -> Iterator[Source]:
    """The innermost line of the test's own file, and the innermost of the project if that is
    another one."""
    places = [
        (Path(entry.path), entry.lineno + 1, entry.frame.raw.f_code)
        for entry in raised.traceback
        if not entry.ishidden(raised) and _is_of(project, Path(entry.path))
    ]
    own = [place for place in places if place[0] == file]
    for path, line, code in dict.fromkeys([*own[-1:], *places[-1:]]):
        lines = linecache.getlines(str(path))
        first = max(1, line - BEFORE, code.co_firstlineno)  # nothing of the function before it
        if 0 < line <= len(lines):
            shown = [text.rstrip()[:LONGEST_LINE] for text in lines[first - 1 : line + AFTER]]
            while not shown[-1]:
                shown.pop()
            yield Source(str(path.relative_to(project)), line, code.co_name, first, tuple(shown))


def _is_of(project: Path, path: Path) -> bool:
    return path.is_relative_to(project) and INSTALLED.isdisjoint(path.parts)


def _remotes(error: BaseException | None, project: Path) -> Iterator[Remote]:
    """Of this error and of those that led to it."""
    met: set[int] = set()
    while error is not None and id(error) not in met:
        met.add(id(error))
        if isinstance(error, RemoteTraceback):
            text = error.text.replace(f'File "{project}/', 'File "').strip()
            yield Remote(error.node, shortened(text, LONGEST_REMOTE))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
