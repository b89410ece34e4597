"""What nodes do now."""

from __future__ import annotations

import linecache
from collections.abc import Iterable
from typing import TYPE_CHECKING

from clusterlib.messages.observed import Activity, StackFrame

if TYPE_CHECKING:
    from clusterlib.doors.console import Console
    from clusterlib.operations.observe import FlameGraphWritten, NodeActivities

__all__ = ["activities", "flame_graph_written"]


def activities(console: Console, result: NodeActivities) -> None:
    for index, (name, activity) in enumerate(result.nodes.items()):
        _node(console, console.paint.node(name, index), activity)
    for name, reason in result.missing.items():
        console.line(f"{name}  {console.paint(reason, 'red')}")


def _node(console: Console, name: str, activity: Activity) -> None:
    paint = console.paint
    for thread in activity.threads:
        what = "event loop" if thread.is_loop else "thread"
        said = f"{what} {thread.name}" if thread.name and thread.name != what else what
        console.line(f"{name}  {paint(said, 'bold')}{'  waits for work' if thread.idle else ''}")
        if not thread.idle:
            _frames(console, thread.frames)
    for task in activity.tasks:
        console.line(f"{name}  {paint(f'task {task.name}', 'bold')}")
        _frames(console, task.frames)
    if activity.from_signal:
        console.note("a function holds the interpreter: the stacks were written at a signal, without tasks")


def _frames(console: Console, frames: Iterable[StackFrame]) -> None:
    for one in frames:
        place = console.paint(f"{one.file}:{one.line}", "dim")
        console.line(f"    {one.function}  {place}")
        if text := linecache.getline(one.file, one.line).strip():
            console.line(f"      {text}")


def flame_graph_written(console: Console, result: FlameGraphWritten) -> None:
    idle = result.idle / result.samples if result.samples else 0.0
    console.line(
        f"{result.file}: {result.samples} samples of {result.node} in {result.seconds:.1f} s, "
        f"{idle:.0%} idle; sampling took {result.cost:.1%} of a processor"
    )
