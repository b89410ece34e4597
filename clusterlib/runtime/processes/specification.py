"""What is to be started: a process, or a supervisor with its children."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

from clusterlib.errors import UsageError
from clusterlib.frozen import frozen
from clusterlib.runtime.processes.mailbox import DEFAULT_ROOM
from clusterlib.runtime.processes.values import RestartRule, Strategy
from clusterlib.runtime.targets import resolve

__all__ = ["Child", "ProcessFunction", "child", "supervisor"]

LONGEST_NAME = 200
E = TypeVar("E", bound=StrEnum)
ProcessFunction = Callable[..., Coroutine[Any, Any, None]]


@frozen
class Child:
    """What a supervisor starts, and starts again. Made by `child` and `supervisor`."""

    function: ProcessFunction | None = None
    """None for a supervisor."""
    args: tuple[Any, ...] = ()
    name: str | None = None
    restart: RestartRule = RestartRule.ALWAYS
    room: int = DEFAULT_ROOM
    moves: bool = False
    """Whether it is continued on another node if its own leaves or is lost."""
    children: tuple[Child, ...] = ()
    strategy: Strategy = Strategy.ONE_FOR_ONE
    restarts: int = 3
    within: float = 5.0

    @property
    def target(self) -> str:
        """How people know the function."""
        function = self.function
        if function is None:
            return "supervisor"
        while isinstance(function, partial):
            function = function.func
        return f"{function.__module__}:{getattr(function, '__qualname__', type(function).__qualname__)}"


def child(
    function: ProcessFunction | str,
    /,
    *args: Any,
    name: str | None = None,
    restart: RestartRule | str = RestartRule.ALWAYS,
    moves: bool = False,
    room: int = DEFAULT_ROOM,
) -> Child:
    """A process that runs `function(box, *args)`."""
    if room < 1:
        raise UsageError(f"room: {room} messages are no mailbox; write at least 1")
    if moves and name is None:
        raise UsageError("a process that moves needs a name, by which it is found afterwards")
    if name is not None and not 0 < len(name) <= LONGEST_NAME:
        raise UsageError(f"a name has between 1 and {LONGEST_NAME} characters, not {len(name)}")
    called = resolve(function) if isinstance(function, str) else function
    if not any(map(inspect.iscoroutinefunction, (called, getattr(called, "__call__", None)))):  # noqa: B004
        raise UsageError(
            f"{called!r} cannot be a process: it is no coroutine function",
            remedies=["async def cart(box, owner): ..."],
        )
    try:
        called(None, *args).close()  # makes a coroutine, and runs nothing of it
    except TypeError as error:
        raise UsageError(
            f"{called!r} takes other arguments than a mailbox and {args!r}", cause=str(error)
        ) from None
    return Child(called, args, name, _one_of(RestartRule, restart), room, moves)


def supervisor(
    *children: Child,
    name: str | None = None,
    strategy: Strategy | str = Strategy.ONE_FOR_ONE,
    restarts: int = 3,
    within: float = 5.0,
    restart: RestartRule | str = RestartRule.ALWAYS,
) -> Child:
    """A supervisor that starts these children in order.

    More than `restarts` restarts within `within` seconds end it, and its own supervisor starts it
    again."""
    if any(one.moves for one in children):
        raise UsageError("a child of a supervisor does not move: its supervisor stays on its node")
    return Child(
        name=name,
        restart=_one_of(RestartRule, restart),
        children=children,
        strategy=_one_of(Strategy, strategy),
        restarts=restarts,
        within=within,
    )


def _one_of(kind: type[E], word: str) -> E:
    try:
        return kind(word)
    except ValueError:
        known = ", ".join(kind)
        raise UsageError(f"{word!r} is no {kind.__name__.lower()}", remedies=[f"one of: {known}"]) from None
