"""The processes of a cluster: as tables, and their supervisors as trees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clusterlib.doors.render.pieces import colour, duration, unasked

if TYPE_CHECKING:
    from clusterlib.doors.console import Cell, Console
    from clusterlib.messages.processes import MemberView
    from clusterlib.operations.process_views import (
        ProcessChanged,
        ProcessList,
        ProcessNames,
        ProcessRegistries,
        ProcessShown,
        ProcessStarted,
        ProcessTrees,
    )

__all__ = ["PICTURES_OF_PROCESSES"]

LATE_SECONDS = 0.1
"""A delay of the event loop that is worth a line."""
DONE = {
    "killed": "was killed",
    "terminated": "has ended for good",
    "restarted": "is its new process",
    "suspended": "is suspended",
    "resumed": "goes on",
    "sent": "was sent the message",
    "collected": "has no garbage now",
}


def _list(console: Console, result: ProcessList) -> None:
    mark = f" {console.paint('[SIMULATED]', 'magenta')}" if result.simulated else ""
    count = sum(node.processes for node in result.nodes)
    shown = f", the first {len(result.processes)} by {result.order}" if len(result.processes) < count else ""
    console.line(
        f"cluster {console.paint(result.cluster, 'bold')}{mark}: {_counted(count, 'process', 'processes')} "
        f"on {_counted(len(result.nodes), 'node', 'nodes')}{shown}"
    )
    if result.processes:
        knows_memory = any(row.memory is not None for row in result.processes)
        console.table(
            ["process", "name", "function", "state", "messages", "work"]
            + ["memory"] * knows_memory
            + ["restarts"],
            [
                [
                    row.id,
                    row.name or "-",
                    row.function,
                    (row.state, colour(row.state)),
                    str(row.messages),
                    str(row.work),
                    *(
                        ["-" if row.memory is None else f"{row.memory / 1024:.1f} KiB"]
                        if knows_memory
                        else []
                    ),
                    str(row.restarts),
                ]
                for row in result.processes
            ],
            foldable=["name", "function"],
            expendable=("restarts", "work"),
        )
    for node in result.nodes:
        if (node.lag or 0.0) >= LATE_SECONDS:
            console.note(f"the event loop of {node.node} was up to {node.lag:.2f} s late in the last seconds")
    unasked(console, result.unasked)


def _shown(console: Console, result: ProcessShown) -> None:
    detail, row = result.process, result.process.row
    console.line(f"{console.paint(row.id, 'bold')} runs {row.function} on {row.node}")
    facts: list[tuple[str, str]] = [("name", row.name or "-"), ("state", row.state)]
    if detail.started is not None:
        age = max(0.0, datetime.now(UTC).timestamp() - detail.started)
        facts.append(("started", f"{duration(age)} ago, {_counted(row.restarts, 'restart', 'restarts')}"))
    lost = f", {detail.lost} lost" if detail.lost else ""
    facts += [
        ("mailbox", f"{_counted(row.messages, 'message', 'messages')}{lost}"),
        ("work", str(row.work)),
        *([("memory", f"{row.memory / 1024:.1f} KiB")] if row.memory is not None else []),
        ("supervisors", " < ".join(detail.ancestors) or "-"),
        ("links", ", ".join(detail.links) or "-"),
        *([("monitors", ", ".join(detail.monitors))] if detail.monitors else []),
        ("monitored by", ", ".join(detail.monitored_by) or "-"),
    ]
    for name, text in facts:
        console.paragraph(f"  {name}:".ljust(16), text, indent=16)
    _lines(console, "the first messages that wait", detail.waiting)
    _lines(console, "variables", [f"{name} = {value}" for name, value in detail.values])
    _lines(console, "where it is", detail.stack)


def _names(console: Console, result: ProcessNames) -> None:
    if result.names:
        rows: list[list[Cell]] = [
            [
                one.name,
                one.process,
                one.node,
                (", ".join(one.others) or "-", "red" if one.others else ""),
            ]
            for one in result.names
        ]
        console.table(["name", "process", "node", "other claims"], rows, foldable=["name"])
    else:
        console.note("no process has a name")
    unasked(console, result.unasked)


def _registries(console: Console, result: ProcessRegistries) -> None:
    if result.names:
        rows: list[list[Cell]] = [
            [one.registry or "-", one.name, one.process, one.node or "-"] for one in result.names
        ]
        console.table(["registry", "name", "process", "node"], rows, foldable=["name"])
    else:
        console.note("no process has such a name")
    unasked(console, result.unasked)


def _trees(console: Console, result: ProcessTrees) -> None:
    for node in result.nodes:
        console.line(console.paint(node.node, "bold"))
        members = [child for tree in node.trees for child in (tree.children if _is_root(tree) else (tree,))]
        if not members:
            console.line(console.paint("└─ no processes", "dim"))
        for line in _branches(console, members, ""):
            console.line(line)
    unasked(console, result.unasked)


def _changed(console: Console, result: ProcessChanged) -> None:
    console.line(f"{result.process} on {result.node} {DONE[result.what]}")


def _started(console: Console, result: ProcessStarted) -> None:
    elsewhere = result.preferred is not None and result.preferred != result.node
    wish = f"; {result.preferred} was preferred" if elsewhere else ""
    console.line(f"{result.process} runs {result.function} on {result.node}{wish}")


def _is_root(tree: MemberView) -> bool:
    """A supervisor that only holds the trees of a node together."""
    return tree.name is None and not tree.restart


def _branches(console: Console, members: Sequence[MemberView], indent: str) -> Iterator[str]:
    for member in members:
        is_last = member is members[-1]
        yield f"{indent}{'└─' if is_last else '├─'} {_member(console, member)}"
        yield from _branches(console, member.children, f"{indent}{'   ' if is_last else '│  '}")


def _member(console: Console, member: MemberView) -> str:
    paint = console.paint
    words = [paint(member.name, "bold")] if member.name else []
    words += [member.id or paint("not running", "red"), member.function]
    facts = [member.strategy, f"restart {member.restart}" if member.restart else ""]
    if member.restarts or member.last:
        last = f", last because of: {member.last}" if member.last else ""
        facts.append(f"{_counted(member.restarts, 'restart', 'restarts')}{last}")
    facts.append(member.note)
    said = ", ".join(filter(None, facts))
    return "  ".join(words) + (paint(f"  ({said})", "dim") if said else "")


def _lines(console: Console, title: str, lines: Sequence[str]) -> None:
    if lines:
        console.line(f"  {title}:")
    for line in lines:
        console.line(f"    {console.paint('|', 'dim')} {line}")


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


PICTURES_OF_PROCESSES: dict[str, Callable[[Console, Any], None]] = {
    "ProcessChanged": _changed,
    "ProcessList": _list,
    "ProcessNames": _names,
    "ProcessRegistries": _registries,
    "ProcessShown": _shown,
    "ProcessStarted": _started,
    "ProcessTrees": _trees,
}
"""By the class of the result."""
