"""What a node was seen to do: the stacks of its threads and tasks, and samples of them."""

from __future__ import annotations

from clusterlib.frozen import frozen

__all__ = ["ActiveTask", "ActiveThread", "Activity", "SampledStack", "Samples", "StackFrame"]


@frozen
class StackFrame:
    function: str
    file: str
    line: int


@frozen
class ActiveThread:
    name: str
    is_loop: bool
    """Whether it runs the event loop."""
    idle: bool
    """Whether it waits for work."""
    frames: tuple[StackFrame, ...]
    """The innermost call last."""


@frozen
class ActiveTask:
    name: str
    frames: tuple[StackFrame, ...]
    """The coroutine, and what it waits for, to the innermost."""


@frozen
class Activity:
    threads: tuple[ActiveThread, ...]
    tasks: tuple[ActiveTask, ...] = ()
    from_signal: bool = False
    """Whether the stacks were written from C, because a function holds the interpreter. Then
    nothing is known of tasks."""


@frozen
class SampledStack:
    thread: str
    frames: tuple[StackFrame, ...]
    """The outermost first, each with the line where its function begins."""
    count: int


@frozen
class Samples:
    seconds: float
    samples: int
    idle: int
    """Those in which the event loop waited for work."""
    cost: float
    """The share of one processor that the sampling took."""
    stacks: tuple[SampledStack, ...]
