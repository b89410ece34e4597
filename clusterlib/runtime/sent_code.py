"""Code that is sent to another process keeps the name of its file, so that tracebacks there show
its lines.

cloudpickle replaces the name. The lines of a file are read where they are shown. Those that are in
no file, as in an interactive session, are sent with the code."""

from __future__ import annotations

import functools
import linecache
from collections import ChainMap, OrderedDict
from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any

__all__ = ["pickler"]

LONGEST_SOURCE = 1 << 16
"""Of longer ones, the lines are not sent."""
MOST_SOURCES = 100
"""Kept in the process that runs them, the latest ones."""

_received: OrderedDict[str, None] = OrderedDict()


@functools.cache
def pickler() -> Callable[..., Any]:
    """cloudpickle's, which is slow to import, with this addition."""
    import cloudpickle

    plain: Any = cloudpickle.Pickler
    own = ChainMap(
        {CodeType: functools.partial(_reduce, plain.dispatch_table[CodeType])}, plain.dispatch_table
    )
    return type("CodePickler", (plain,), {"dispatch_table": own})


def _reduce(plain: Callable[[CodeType], Any], code: CodeType) -> tuple[Any, ...]:
    make, arguments, *_ = plain(code)
    return _restored, (make, arguments, code.co_filename, _lines_without_a_file(code.co_filename))


def _restored(
    make: Callable[..., CodeType], arguments: Sequence[Any], name: str, lines: Sequence[str]
) -> CodeType:
    if lines and _has_no_file(name):
        _remember(name, lines)
    return make(*arguments).replace(co_filename=name)


def _has_no_file(name: str) -> bool:
    return name.startswith("<") and name.endswith(">")


def _lines_without_a_file(name: str) -> tuple[str, ...]:
    if not _has_no_file(name):
        return ()
    lines = linecache.getlines(name)
    return tuple(lines) if sum(map(len, lines)) <= LONGEST_SOURCE else ()


def _remember(name: str, lines: Sequence[str]) -> None:
    linecache.cache[name] = sum(map(len, lines)), None, list(lines), name
    _received[name] = None
    _received.move_to_end(name)
    while len(_received) > MOST_SOURCES:
        linecache.cache.pop(_received.popitem(last=False)[0], None)
