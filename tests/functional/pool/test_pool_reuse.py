"""One cluster serves many tests: as large as they want it, whole and clean for each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clusterlib.client.start import is_running
from clusterlib.hosts import proc
from clusterlib.leases.need import Need
from clusterlib.leases.pool import Unserved
from clusterlib.leases.schedule import Asked
from clusterlib.leases.usage import Usage
from clusterlib.messages.codec import plain, revive
from clusterlib.waiting import Deadline, poll
from tests.functional.pool.using import SMALL, MakePool, Records, pids, size, use, write_app


def test_the_same_cluster_serves_one_test_after_the_other(make_pool: MakePool, records: Records) -> None:
    pool = make_pool()
    before = use(pool)

    assert pids(use(pool)) == pids(before)
    assert pids(use(pool, size=1)) == pids(before)
    pool.close()

    assert before.name == "pytest"
    assert [record["kind"] for record in records] == ["cluster.started", "cluster.ended"]
    (usage,) = pool.usage.clusters
    assert (usage.tests, usage.reuses, usage.how) == (3, 2, "started")
    assert usage.start_seconds > 0
    assert usage.peak_memory > 0
    assert revive(Usage, json.loads(json.dumps(plain(pool.usage)))) == pool.usage


def test_a_cluster_starts_as_large_as_the_largest_test_to_come_wants_it(make_pool: MakePool) -> None:
    pool = make_pool()
    pool.expect(pool.schedule([Asked("a", Need(size=1)), Asked("b", Need(size=4))]))

    assert size(use(pool, size=1)) == 4
    assert size(use(pool, size=4)) == 4
    assert pool.usage.clusters[0].scalings == 0


def test_a_cluster_grows_where_nobody_could_know(make_pool: MakePool, records: Records) -> None:
    pool = make_pool()
    before = pids(use(pool))
    after = pids(use(pool, size=4))

    assert after[:2] == before
    assert len(after) == 4
    assert pids(use(pool)) == after
    assert records.of("cluster.healed", "how") == ["scaled"]


def test_an_exact_size_is_given_and_taken_back(make_pool: MakePool) -> None:
    pool = make_pool()
    use(pool)

    assert size(use(pool, size=1, exact=True)) == 1
    assert size(use(pool, size=1)) == 1
    assert size(use(pool)) == 2
    assert size(use(pool, size=3, exact=True)) == 3
    assert size(use(pool)) == 3


def test_where_an_exact_one_comes_first_the_others_still_get_what_their_profile_says(
    make_pool: MakePool,
) -> None:
    pool = make_pool()

    assert size(use(pool, size=1, exact=True)) == 1
    assert size(use(pool)) == 2


def test_what_a_test_scaled_is_scaled_back(make_pool: MakePool) -> None:
    pool = make_pool()
    held = pool.acquire(Need(), "a test")
    held.cluster.scale(4)
    held.release()

    assert size(use(pool)) == 2


def test_each_profile_has_its_cluster_and_no_more_are_kept_than_allowed(
    make_pool: MakePool, project: Path, records: Records
) -> None:
    (project / "profiles").mkdir()
    for name in ("one", "two", "three"):
        (project / "profiles" / f"{name}.toml").write_text('extends = "dev"\n')
    pool = make_pool(keep=2)

    names = [use(pool, profile=name).name for name in ("one", "two", "one", "three", "one")]

    assert names == ["pytest", "pytest-2", "pytest", "pytest-2", "pytest"]
    assert records.of("cluster.ended", "cluster") == ["pytest-2"]


def test_a_profile_that_no_later_test_needs_is_ended_early(make_pool: MakePool, project: Path) -> None:
    pool = make_pool()
    use(pool)

    pool.no_more("dev")

    assert not is_running("pytest", project=project)


def test_a_test_holds_one_cluster_of_a_profile_at_a_time(make_pool: MakePool) -> None:
    pool = make_pool()
    held = pool.acquire(Need(), "a test")

    with pytest.raises(Unserved) as caught:
        pool.acquire(Need(), "a test")

    assert caught.value.error.code == "usage"
    held.release()
    held.release()
    assert use(pool).state == "ready"


def test_a_program_started_by_a_test_finds_the_cluster_by_its_environment(
    make_pool: MakePool, project: Path
) -> None:
    held = make_pool().acquire(Need(), "a test")

    said = subprocess.run(
        [sys.executable, "-c", "import clusterlib; print(clusterlib.attach()['node1'].members())"],
        env={**os.environ, **held.environment},
        text=True,
        capture_output=True,
        check=True,
        cwd="/",
    )

    assert said.stdout == "['node1', 'node2']\n"
    held.release()


def test_what_a_test_broke_is_healed_for_the_next(make_pool: MakePool, records: Records) -> None:
    pool = make_pool()
    held = pool.acquire(Need(), "breaker")
    held.cluster["node2"].kill()
    held.release()

    after = use(pool)

    assert after.state == "ready"
    assert not after.dirty
    assert pids(after)[0] == pids(held.status)[0]
    assert pids(after)[1] != pids(held.status)[1]
    assert records.of("cluster.healed", "how") == ["healed"]
    assert records.of("cluster.healed", "reason") == ["node2 was killed"]
    assert pool.usage.clusters[0].heals == 1


def test_a_test_that_says_it_spoils_the_cluster_leaves_new_nodes_to_the_next(
    make_pool: MakePool, records: Records
) -> None:
    pool = make_pool()
    before = use(pool, dirty=True, who="spoiler")

    after = use(pool)

    assert not set(pids(after)) & set(pids(before))
    assert records.of("cluster.healed", "how") == ["fresh"]
    assert records.of("cluster.healed", "reason") == ["damaged by spoiler"]


def test_a_test_that_says_it_tidies_up_is_believed_while_the_cluster_is_whole(
    make_pool: MakePool, records: Records
) -> None:
    pool = make_pool()
    held = pool.acquire(Need(dirty=False), "tidy")
    held.cluster["node2"].pause()
    held.cluster["node2"].resume()
    held.cluster["node1"].kill()
    held.cluster["node1"].restart()
    held.cluster.wait_ready()
    held.release()

    use(pool)

    assert not records.of("cluster.healed", "how")


def test_a_test_that_says_it_tidies_up_and_does_not_is_found_out(
    make_pool: MakePool, records: Records
) -> None:
    pool = make_pool()
    held = pool.acquire(Need(dirty=False), "tidy")
    held.cluster["node2"].kill()
    held.release()

    assert use(pool).state == "ready"
    assert records.of("cluster.healed", "how") == ["healed"]


@pytest.mark.parametrize("how", ["down", "killed", "paused", "closed"])
def test_a_cluster_that_is_gone_is_replaced(make_pool: MakePool, records: Records, how: str) -> None:
    pool = make_pool({**SMALL, "tests.turn": 2.0})
    held = pool.acquire(Need(), "wrecker")
    keeper = held.status.keeper.pid
    match how:
        case "down":
            held.cluster.down()
        case "killed":
            os.kill(keeper, signal.SIGKILL)
        case "paused":
            os.kill(keeper, signal.SIGSTOP)
        case "closed":
            held.cluster.close()
    held.release()

    after = use(pool)

    assert after.state == "ready"
    assert after.keeper.pid != keeper
    assert records.of("cluster.healed", "how") == ["replaced"]
    assert "wrecker" in records.of("cluster.healed", "reason")[0]
    assert pool.usage.clusters[-1].replacements == 1
    assert poll(lambda: not proc.marked(held.status.marker), Deadline(10))


def test_a_cluster_that_cannot_be_healed_is_replaced(
    make_pool: MakePool, project: Path, records: Records
) -> None:
    failing = project / "failing"
    pool = make_pool(write_app(project, f"pathlib.Path({str(failing)!r}).exists() and os._exit(3)"))
    held = pool.acquire(Need(), "wrecker")
    held.cluster["node2"].kill()
    held.release()
    failing.touch()

    with pytest.raises(Unserved) as caught:
        use(pool)
    assert caught.value.error.code == "application-failed"
    assert not caught.value.may_skip
    assert records.of("cluster.ended", "because")[0]["code"] == "application-failed"
    assert records.of("cluster.ended", "error") == [None], "nothing was left"
    assert not is_running("pytest", project=project)
