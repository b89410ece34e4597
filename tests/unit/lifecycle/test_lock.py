from __future__ import annotations

import fcntl
import os
from pathlib import Path

from clusterlib.lifecycle.lock import ClusterLock
from clusterlib.waiting import Deadline


def test_only_one_can_take_a_lock(tmp_path: Path) -> None:
    first, second = ClusterLock(tmp_path / "lock"), ClusterLock(tmp_path / "lock")

    assert first.take()
    assert not second.take()
    first.let_go()
    assert second.take()
    second.let_go()


def test_asking_whether_a_lock_is_free_does_not_take_it(tmp_path: Path) -> None:
    lock = ClusterLock(tmp_path / "lock")

    assert lock.is_free()
    assert ClusterLock(tmp_path / "lock").take()


def test_a_child_that_inherited_the_lock_keeps_it_taken(tmp_path: Path) -> None:
    lock = ClusterLock(tmp_path / "lock")
    lock.take()
    release, hold = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(hold)
        os.read(release, 1)
        os._exit(0)
    os.close(release)
    lock.let_go()

    assert not ClusterLock(tmp_path / "lock").is_free()

    os.close(hold)
    os.waitpid(child, 0)
    assert ClusterLock(tmp_path / "lock").wait_free(Deadline(5))


def test_those_who_ask_are_not_taken_for_a_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    with path.open() as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)

        assert ClusterLock(path).is_free()


def test_whoever_asks_keeps_what_it_holds(tmp_path: Path) -> None:
    lock = ClusterLock(tmp_path / "lock")
    lock.take()

    assert not lock.is_free()
    assert not ClusterLock(tmp_path / "lock").take()
    lock.let_go()


def test_a_lock_whose_file_was_removed_protects_nothing_and_is_not_taken(tmp_path: Path) -> None:
    last_holder, next_one = ClusterLock(tmp_path / "lock"), ClusterLock(tmp_path / "lock")
    last_holder.take()
    (tmp_path / "lock").unlink()

    assert next_one.take()

    last_holder.let_go()
    assert not ClusterLock(tmp_path / "lock").take()
    next_one.let_go()
