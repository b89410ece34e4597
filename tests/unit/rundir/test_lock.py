from __future__ import annotations

import dataclasses
import fcntl
import os
from pathlib import Path

from clusterlib.hosts.identity import Identity
from clusterlib.rundir.lock import ClusterLock, note_holder
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


def test_a_lock_tells_which_cluster_it_is_and_who_holds_it(tmp_path: Path) -> None:
    lock, asking = ClusterLock(tmp_path / "lock"), ClusterLock(tmp_path / "lock")
    lock.take()
    lock.note(tmp_path, "shop")
    note_holder(lock.descriptor, Identity.current())
    note_holder(lock.descriptor, dataclasses.replace(Identity.current(), started=1.0))

    assert asking.name_in(tmp_path) == "shop"
    assert asking.name_in(tmp_path / "other") is None
    assert asking.holders() == [Identity.current()], "one that has ended holds nothing"
    lock.let_go()


def test_who_held_a_lock_before_is_forgotten_when_it_is_taken(tmp_path: Path) -> None:
    lock = ClusterLock(tmp_path / "lock")
    lock.take()
    lock.note(tmp_path, "shop")
    note_holder(lock.descriptor, Identity.current())
    lock.let_go()

    lock.take()

    assert lock.holders() == []
    assert lock.name_in(tmp_path) is None
    lock.let_go()


def test_a_lock_that_is_just_being_written_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(
        '{"project": "/shop", "name": "default"}\n[1]\n{"pid": 1}\n{"pid": 12, "sta'
    )

    lock = ClusterLock(tmp_path / "lock")

    assert lock.name_in(Path("/shop")) == "default"
    assert lock.holders() == []


def test_the_file_of_a_free_lock_is_removed_and_of_a_taken_one_it_stays(tmp_path: Path) -> None:
    holder, cleaner = ClusterLock(tmp_path / "lock"), ClusterLock(tmp_path / "lock")
    holder.take()

    cleaner.remove()
    assert not cleaner.is_free()

    holder.let_go()
    cleaner.remove()
    assert not (tmp_path / "lock").exists()
    assert holder.take()
    holder.let_go()


def test_a_lock_whose_file_was_removed_protects_nothing_and_is_not_taken(tmp_path: Path) -> None:
    last_holder, next_one = ClusterLock(tmp_path / "lock"), ClusterLock(tmp_path / "lock")
    last_holder.take()
    (tmp_path / "lock").unlink()

    assert next_one.take()

    last_holder.let_go()
    assert not ClusterLock(tmp_path / "lock").take()
    next_one.let_go()
