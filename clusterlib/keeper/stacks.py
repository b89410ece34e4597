"""The stacks of a node whose event loop does not answer: a signal makes it write them, from C, into
a file."""

from __future__ import annotations

from pathlib import Path

from clusterlib.drivers.api import Driver
from clusterlib.errors import NodeUnavailable, NotSupported
from clusterlib.keeper.node import ManagedNode
from clusterlib.messages.states import NodeState
from clusterlib.remedies import do
from clusterlib.waiting import Deadline, poll_async

__all__ = ["dump_stacks", "wake_observer"]

DUMP_SECONDS = 1.0
MOST_BYTES = 64 * 1024


async def dump_stacks(driver: Driver, node: ManagedNode, *, simulated: bool) -> list[str]:
    """Raises NotSupported for nodes that have not registered for the signal, because it would end
    them."""
    asked = driver.stack_signal is not None and driver.stacks_file and not simulated
    if driver.stack_signal is None or not asked or node.state is not NodeState.READY:
        raise NotSupported(f"{node.name} shows no stacks", cause=f"it is {node.state}, driver {driver.name}")
    path = Path(node.spec.directory) / driver.stacks_file
    before = _size(path)
    node.signal(driver.stack_signal)
    last = -1

    def written() -> bool:
        """Something was written, and nothing more since the last check."""
        nonlocal last
        known, last = last, _size(path)
        return last > before and last == known

    await poll_async(written, Deadline(DUMP_SECONDS))
    if not path.is_file():
        raise NotSupported(
            f"{node.name} shows no stacks",
            cause=f"it wrote no {driver.stacks_file} within {DUMP_SECONDS:g} s of its signal",
        )
    with path.open("rb") as file:
        file.seek(before)
        text = file.read(MOST_BYTES).decode("utf-8", errors="replace")
    return text.splitlines()


def wake_observer(driver: Driver, node: ManagedNode, *, simulated: bool) -> None:
    """Raises NotSupported for nodes that have no observer, because the signal would end them."""
    if driver.observe_signal is None or simulated:
        why = (
            "simulated nodes share one interpreter, and a thread of it belongs to none of them"
            if simulated
            else f"nodes of the driver {driver.name!r} do not show what they do; for a Python program, "
            "`py-spy dump` can look from outside, if it may use ptrace"
        )
        raise NotSupported(
            f"{node.name} cannot be observed", cause=why, remedies=[do("cluster.logs", node.name)]
        )
    if node.state is not NodeState.READY:
        raise NodeUnavailable(f"{node.name} is {node.state}", cause=node.reason or None)
    node.signal(driver.observe_signal)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
