"""How a process is started again on another node: its `Child`, as text."""

from __future__ import annotations

import base64

from clusterlib.errors import RemoteError
from clusterlib.runtime.pickling import TooLarge, Unpicklable, dump, load
from clusterlib.runtime.processes.specification import Child

__all__ = ["read_will", "written_will"]

LARGEST = 64 << 10
"""Every node keeps it."""


def written_will(child: Child) -> str:
    try:
        return base64.b64encode(b"".join(dump(child, LARGEST))).decode()
    except (TooLarge, Unpicklable) as error:
        raise RemoteError(
            f"the process {child.name} cannot move: its arguments cannot be sent to other nodes",
            cause=str(error),
        ) from error


def read_will(text: str) -> Child:
    try:
        child = load(base64.b64decode(text))
    except Exception as error:
        raise RemoteError("its function cannot be loaded", cause=repr(error)) from error
    assert isinstance(child, Child)
    return child
