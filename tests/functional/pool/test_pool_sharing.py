"""Several processes, several runs, and clusters that belong to one test alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import clusterlib
from clusterlib.client.start import is_running
from clusterlib.errors import ClusterError
from clusterlib.hosts import proc
from clusterlib.leases.need import Need
from clusterlib.waiting import Deadline, poll
from tests.functional.pool.using import SMALL, MakePool, Records, Up, use


def test_two_pools_in_one_project_do_not_disturb_each_other(make_pool: MakePool) -> None:
    first, second = make_pool(), make_pool()
    one, two = first.acquire(Need(), "one"), second.acquire(Need(), "two")

    assert (one.cluster.name, two.cluster.name) == ("pytest", "pytest-2")
    one.cluster["node1"].kill()
    one.release()
    first.close()

    assert two.cluster.state == "ready"
    two.release()


WORKER = """
import json, os, sys
from pathlib import Path
from clusterlib.leases.need import Need
from clusterlib.leases.pool import Pool, Settings
number = int(sys.argv[1])
pool = Pool(Path.cwd(), Settings(overrides=json.loads(sys.argv[2]), shared_name="pytest-shared"), worker=f"gw{number}")
seen = []
print("ready", flush=True)
sys.stdin.readline()
for round in range(6):
    breaks = (round + number) % 3 == 0
    held = pool.acquire(Need(size=1 + round % 3, exclusive=breaks), f"test {round}")
    assert held.status.state == "ready", held.status
    assert len(held.cluster) >= 1 + round % 3, len(held.cluster)
    if breaks:
        assert not [turn for turn in held.cluster.status().turns[1:]]
        held.cluster["node1"].kill()
    else:
        assert held.cluster["node1"].call("os:getpid")
    seen.append(held.status.run)
    held.release()
pool.close()
print(json.dumps({"runs": sorted(set(seen)), "how": [one.how for one in pool.usage.clusters]}))
"""


def test_workers_share_one_cluster_in_turns(project: Path, up: Up) -> None:
    overrides = json.dumps({**SMALL, "tests.workers": "shared"})
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(number), overrides],
            cwd=project,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    answers = [worker.communicate(timeout=120)[0] for worker in workers]

    assert [worker.returncode for worker in workers] == [0] * 4
    told = [json.loads(answer) for answer in answers]
    assert sorted(how for one in told for how in one["how"]).count("started") == 1
    assert len({run for one in told for run in one["runs"]}) == 1
    assert not is_running("pytest-shared", project=project)


def test_a_killed_process_leaves_nothing_of_its_pool(project: Path) -> None:
    script = (
        "import os, sys, signal\n"
        "from pathlib import Path\n"
        "from clusterlib.leases.need import Need\n"
        "from clusterlib.leases.pool import Pool, Settings\n"
        "pool = Pool(Path.cwd(), Settings(overrides={'nodes.count': 2}))\n"
        "held = pool.acquire(Need(), 'a test')\n"
        "pool.private(size=1)\n"
        "print(held.status.marker, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=project, capture_output=True, text=True, check=False
    )

    assert done.returncode == -signal.SIGKILL
    assert poll(lambda: not is_running("pytest", project=project), Deadline(10))
    assert poll(lambda: not is_running("pytest-private", project=project), Deadline(10))
    assert poll(lambda: not proc.marked(done.stdout.strip()), Deadline(10))


def test_a_fork_that_closes_the_pool_ends_nothing(make_pool: MakePool) -> None:
    pool = make_pool()
    held = pool.acquire(Need(), "a test")

    child = os.fork()
    if child == 0:
        try:
            held.release()
            pool.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)

    assert held.cluster.state == "ready"
    assert [turn.holder for turn in held.cluster.status().turns] == ["a test"]
    held.release()


def test_a_cluster_that_lingers_is_used_by_the_next_run(make_pool: MakePool, up: Up, project: Path) -> None:
    lingering = {**SMALL, "linger": 60.0}
    first, second, third = (make_pool(lingering) for _ in range(3))
    before = use(first)
    first.close()

    after = use(second)
    assert after.run == before.run
    assert second.usage.clusters[0].how == "joined"
    assert use(third).run != before.run

    second.close()
    third.close()
    for name in ("pytest", "pytest-2"):
        clusterlib.attach(name, project=project).down()


def test_one_that_lingers_with_other_settings_is_left_alone_and_stale_code_is_renewed(
    make_pool: MakePool, project: Path
) -> None:
    lingering = {**SMALL, "linger": 60.0}
    (project / "cart.py").write_text("def total():\n    return 1\n")
    first = make_pool(lingering)
    before = use(first)
    first.close()
    (project / "cart.py").write_text("def total():\n    return 2\n")

    other, same = make_pool({**lingering, "environment.SHOP": "1"}), make_pool(lingering)
    assert use(other).run != before.run
    held = same.acquire(Need(), "a test")
    assert held.status.run == before.run
    assert held.cluster["node2"].call("cart:total") == 2

    for one in (other, same):
        one.close()
    for name in ("pytest", "pytest-2"):
        clusterlib.attach(name, project=project).down()


def test_a_private_cluster_is_nobody_elses(make_pool: MakePool, project: Path, records: Records) -> None:
    pool = make_pool()
    held = pool.acquire(Need(), "a test")
    one, two = pool.private(size=1), pool.private(simulate=True)

    assert (one.name, two.name) == ("pytest-private", "pytest-private-2")
    assert (len(one), len(two)) == (1, 2)
    assert two.simulated
    one["node1"].kill()
    pool.end_private(one)
    pool.end_private(one)
    assert not is_running("pytest-private", project=project)
    two.down()
    pool.end_private(two)
    held.release()

    assert [usage.private for usage in pool.usage.clusters] == [False, True, True]
    assert records.of("cluster.ended", "cluster") == ["pytest-private", "pytest-private-2"]


def test_private_clusters_that_were_forgotten_end_with_the_pool(make_pool: MakePool, project: Path) -> None:
    pool = make_pool()
    pool.private(size=1)

    pool.close()
    pool.close()

    assert not is_running("pytest-private", project=project)


def test_all_clusters_are_closed_though_one_cannot_be(make_pool: MakePool, project: Path) -> None:
    pool = make_pool()
    held = pool.acquire(Need(), "a test")
    pool.private(size=1)
    os.kill(held.status.keeper.pid, signal.SIGKILL)

    try:
        pool.close()
    except ClusterError as error:
        pytest.fail(f"a keeper that was killed is gone, and so is its cluster: {error}")

    assert not is_running("pytest-private", project=project)


def test_a_shared_cluster_is_replaced_once_whoever_joins_the_new_one(
    make_pool: MakePool, records: Records
) -> None:
    shared = [make_pool({**SMALL, "tests.workers": "shared"}, shared_name="pytest-shared") for _ in range(2)]
    first, second = [pool.acquire(Need(), "t") for pool in shared]
    second.release()
    first.release()
    first.cluster.down()

    for pool in shared:
        pool.acquire(Need(), "u").release()

    assert records.of("cluster.healed", "how") == ["replaced"]
    assert sum(one.replacements for pool in shared for one in pool.usage.clusters) == 1
