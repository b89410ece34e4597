"""The node's side of `cluster.shell`; runs inside the node. Standard library only.

Output is separated by context, not by replacing `sys.stdout` for all: the output of other threads
of the node still goes to the node's log."""

from __future__ import annotations

import ast
import builtins
import contextlib
import io
import linecache
import sys
import threading
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from types import CodeType
from typing import Any, TextIO

__all__ = ["complete", "evaluate", "forget"]

_spaces: dict[str, dict[str, Any]] = {}
_heard: ContextVar[io.StringIO | None] = ContextVar("clusterlib_shell_output", default=None)
_listeners = 0
_lock = threading.Lock()


def evaluate(session: str, source: str) -> dict[str, str | None]:
    """Runs the source with the session's names.

    The value of a last expression becomes `_`, as at any prompt."""
    space = _space(session)
    value, problem = None, None
    with _listening() as output:
        try:
            for code, is_value in _compiled(source, space):
                if is_value:
                    result = eval(code, space)  # noqa: S307 - evaluating is what a prompt is for
                    if result is not None:
                        value = repr(result)
                        space["_"] = result
                else:
                    exec(code, space)  # noqa: S102
        except SystemExit as error:
            problem = f"SystemExit: {error.code}\n(a prompt does not end its node; cluster.kill does)\n"
        except BaseException as error:  # noqa: BLE001 - whatever it raised is the answer
            problem = _traceback_of(error)
    return {"value": value, "output": output.getvalue(), "traceback": problem}


def complete(session: str, text: str) -> list[str]:
    from rlcompleter import Completer

    completer = Completer(_space(session))
    found = (completer.complete(text, number) for number in range(200))
    return [one for one in iter(lambda: next(found), None) if one.strip()]


def forget(session: str) -> None:
    _spaces.pop(session, None)


def _space(session: str) -> dict[str, Any]:
    if session not in _spaces:
        from clusterlib.runtime.current import this_node

        _spaces[session] = {"__name__": "__shell__", "__builtins__": builtins, "this_node": this_node}
    return _spaces[session]


def _compiled(source: str, space: dict[str, Any]) -> Iterator[tuple[CodeType, bool]]:
    """The statements, and separately the last expression.

    The source is kept, so that tracebacks can show it."""
    number = space["__entries__"] = space.get("__entries__", 0) + 1
    name = f"<shell {number}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    tree = ast.parse(source, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    if tree.body:
        yield compile(tree, name, "exec"), False
    if last is not None:
        assert isinstance(last, ast.Expr)
        yield compile(ast.Expression(last.value), name, "eval"), True


def _traceback_of(error: BaseException) -> str:
    """The traceback from the typed line on, without the frames of this module."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    if isinstance(error, SyntaxError):
        trace = None
    return "".join(traceback.format_exception(type(error), error, trace))


class _Router:
    """Replaces stdout during an evaluation: output of its own context is returned, the rest is
    printed as usual."""

    def __init__(self, behind: TextIO) -> None:
        self.behind = behind

    def write(self, text: str) -> int:
        heard = _heard.get()
        return heard.write(text) if heard is not None else self.behind.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind, name)


@contextlib.contextmanager
def _listening() -> Iterator[io.StringIO]:
    global _listeners  # noqa: PLW0603 - stdout itself is global
    output = io.StringIO()
    with _lock:
        _listeners += 1
        if _listeners == 1:
            sys.stdout, sys.stderr = _Router(sys.stdout), _Router(sys.stderr)
    token = _heard.set(output)
    try:
        yield output
    finally:
        _heard.reset(token)
        with _lock:
            _listeners -= 1
            if _listeners == 0:
                for stream in ("stdout", "stderr"):
                    router = getattr(sys, stream)
                    if isinstance(router, _Router):
                        setattr(sys, stream, router.behind)
