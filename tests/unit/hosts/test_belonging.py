"""Which processes belong to a node, where they change while they are looked at."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from clusterlib.hosts import belonging, proc

pytestmark = pytest.mark.skipif(not proc.LINUX, reason="looks at /proc")


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_an_orphan_that_comes_while_the_others_are_looked_at_is_found(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its parent has ended since the children were listed, so the orphan is not listed."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    keeper = os.getpid()
    listed = [[gone.pid], [child.pid], [child.pid], [child.pid]]
    monkeypatch.setattr(belonging, "_look", lambda: lambda pid: listed.pop(0) if pid == keeper else [])
    monkeypatch.setattr(belonging, "wears", lambda pid, _tag: pid == child.pid)

    found = belonging.belonging(None, 1, keeper, ())

    assert [seen.pid for seen in found] == [child.pid]


def test_a_look_at_a_keeper_whose_children_never_stay_the_same_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = os.getpid()
    numbers = iter(range(10**9, 10**9 + 10**6))
    monkeypatch.setattr(belonging, "_look", lambda: lambda pid: [next(numbers)] if pid == keeper else [])

    assert belonging.belonging(None, 1, keeper, ()) == []
