"""A cluster that somebody started by hand is used where it fits, and left as it was."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from clusterlib.errors import ClusterConflict, ClusterNotRunning
from clusterlib.leases.need import Need
from clusterlib.leases.pool import Pool, Settings, Unserved
from tests.functional.pool.using import SMALL, MakePool, Records, Up, pids, size, use, write_app


def test_a_running_cluster_that_fits_is_borrowed_and_left_as_it_was(
    make_pool: MakePool, up: Up, records: Records
) -> None:
    running = up("dev", nodes=3, hold=False)
    pool = make_pool({})
    held = pool.acquire(Need(size=2), "a test")

    assert held.borrowed
    assert held.cluster.name == "default"
    assert pids(held.status) == pids(running.status())
    with pytest.raises(ClusterConflict):
        held.cluster.down()
    held.cluster["node2"].kill()
    held.release()
    assert use(pool).state == "ready"
    pool.close()

    assert records.of("cluster.started", "how") == ["borrowed"]
    assert running.state == "ready"
    assert pids(running.status())[0] == pids(held.status)[0]


@pytest.mark.parametrize(
    ("needed", "why"),
    [
        (Need(size=3), "runs with 2 nodes, tests ask for 3"),
        (Need(size=1, exact=True), "runs with 2 nodes, tests ask for exactly 1"),
        (Need("ci-large", size=1), "is of profile dev, tests ask for ci-large"),
    ],
)
def test_one_that_does_not_fit_is_left_alone_and_told_of(
    make_pool: MakePool, up: Up, needed: Need, why: str
) -> None:
    running = up("dev", nodes=2, hold=False)
    pool = make_pool()

    status = use(pool, needed)

    assert status.name == "pytest"
    assert why in pool.usage.notes[0]
    assert running.state == "ready"
    assert len(running) == 2
    assert [lease.holder for lease in running.status().leases] == [
        lease.holder for lease in running.status().leases[:1]
    ]


@pytest.mark.parametrize("options", [{"simulate": True}, {"overrides": {"environment.SHOP": "1"}}])
def test_one_with_other_settings_is_not_borrowed(
    make_pool: MakePool, up: Up, options: dict[str, Any]
) -> None:
    up("dev", hold=False, **options)
    pool = make_pool({})

    assert use(pool).name == "pytest"
    assert len(pool.usage.notes) == 1


def test_a_borrowed_cluster_that_was_scaled_meanwhile_serves_those_it_fits(
    make_pool: MakePool, up: Up
) -> None:
    running = up("dev", nodes=3, hold=False)
    pool = make_pool({})
    assert use(pool, size=3).name == "default"

    running.scale(2)

    assert use(pool, size=3).name == "pytest"
    assert use(pool, size=2).name == "pytest"
    assert len(running) == 2


def test_a_borrowed_cluster_has_its_size_again_after_a_test_that_scaled_it(
    make_pool: MakePool, up: Up
) -> None:
    running = up("dev", nodes=3, hold=False)
    held = make_pool({}).acquire(Need(), "a test")

    held.cluster.scale(1)
    held.release()

    running.status()
    assert len(running) == 3
    assert running.state == "ready"


def test_a_borrowed_cluster_is_known_to_be_spoilt_though_its_size_cannot_be_put_back(
    make_pool: MakePool, up: Up, project: Path
) -> None:
    failing = project / "failing"
    settings = write_app(project, f"pathlib.Path({str(failing)!r}).exists() and os._exit(3)")
    running = up("dev", overrides=settings, hold=False)
    held = make_pool(settings).acquire(Need(dirty=True), "a test")
    assert held.borrowed
    held.cluster.scale(1)
    failing.touch()

    held.release()

    assert "damaged by a test" in running.status().dirty
    failing.unlink()


def test_nodes_of_a_borrowed_cluster_with_stale_code_are_restarted(
    make_pool: MakePool, up: Up, project: Path, records: Records
) -> None:
    (project / "cart.py").write_text("def total():\n    return 1\n")
    running = up("dev", nodes=2, hold=False)
    assert running["node1"].call("cart:total") == 1
    (project / "cart.py").write_text("def total():\n    return 2\n")

    pool = make_pool()
    held = pool.acquire(Need(), "a test")

    assert held.borrowed
    assert held.cluster["node1"].call("cart:total") == 2
    held.release()
    assert any("code had changed" in note for note in pool.usage.clusters[0].notes)
    assert len(records.of("cluster.healed", "how")) == 1
    assert pids(use(pool)) == pids(held.status)


def test_a_paused_node_with_stale_code_is_found_when_it_can_be_asked(
    make_pool: MakePool, up: Up, project: Path
) -> None:
    (project / "cart.py").write_text("def total():\n    return 1\n")
    running = up("dev", nodes=2, hold=False)
    assert running["node1"].call("cart:total") == 1
    running["node1"].pause()
    (project / "cart.py").write_text("def total():\n    return 2\n")

    held = make_pool().acquire(Need(), "a test")

    assert held.borrowed
    assert held.cluster["node1"].call("cart:total") == 2
    held.release()


def test_a_stuck_node_of_a_borrowed_cluster_is_restarted_before_a_test_meets_it(
    make_pool: MakePool, up: Up
) -> None:
    quick: dict[str, object] = {"timeouts.stop": 0.2}
    running = up("dev", nodes=2, hold=False, overrides=quick)
    before = pids(running.status())
    running["node2"].run(_block_the_event_loop)
    pool = make_pool({**SMALL, **quick})

    held = pool.acquire(Need(), "a test")

    assert held.borrowed
    assert pids(held.status)[1] != before[1]
    assert held.cluster["node2"].members() == ["node1", "node2"]
    held.release()
    [note] = pool.usage.clusters[0].notes
    assert note.startswith("node2 did not say which code it runs: it is stuck")


def _block_the_event_loop() -> None:
    import asyncio
    import gc
    import threading

    loops = [one for one in gc.get_objects() if isinstance(one, asyncio.BaseEventLoop) and one.is_running()]
    loops[0].call_soon_threadsafe(threading.Event().wait)


def test_when_a_borrowed_cluster_ends_the_next_test_gets_one_of_its_own(make_pool: MakePool, up: Up) -> None:
    running = up("dev", nodes=2, hold=False)
    pool = make_pool()
    assert use(pool).name == "default"

    running.down()

    assert use(pool).name == "pytest"
    assert any("ended while the tests ran" in note for note in pool.usage.notes)


def test_in_manual_mode_nothing_is_started(make_pool: MakePool, up: Up, records: Records) -> None:
    pool = make_pool({**SMALL, "tests.auto": False})

    with pytest.raises(Unserved) as caught:
        use(pool, size=3)
    assert isinstance(caught.value.error, ClusterNotRunning)
    assert "invoke cluster.up --profile dev --nodes 3" in caught.value.error.remedies
    assert caught.value.may_skip
    with pytest.raises(Unserved):
        use(pool, size=3)
    assert [(one.tests, one.nodes) for one in pool.usage.failures] == [(2, 3)]

    up("dev", nodes=3, hold=False)
    assert use(pool, size=3).name == "default"
    assert use(pool).name == "default"


def test_under_cluster_run_the_cluster_of_the_run_is_used_whatever_its_settings(
    make_pool: MakePool, up: Up, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = up("ci-small", name="given", simulate=True)
    monkeypatch.setenv("CLUSTERLIB_RUN", str(running.run_folder.path))
    monkeypatch.setenv("CLUSTERLIB_NAME", "given")
    monkeypatch.setenv("CLUSTERLIB_PROFILE", "ci-small")
    monkeypatch.setenv("CLUSTERLIB_PROJECT", str(project))
    pool = Pool(project, Settings(overrides={"nodes.count": 3}))

    assert use(pool).name == "given"
    assert size(use(pool, size=2)) == 2
    other = use(pool, size=3)
    pool.close()

    assert other.name == "pytest"
    assert pool.usage.notes == [
        "cluster given runs with 2 nodes, tests ask for 3: another one serves them beside it"
    ]
    assert running.state == "ready"


def test_turns_are_waited_for_no_longer_than_the_profile_says(make_pool: MakePool, up: Up) -> None:
    running = up("dev", nodes=2, hold=False)
    running.take_turn("somebody else")
    pool = make_pool({**SMALL, "tests.turn": 0.1})

    with pytest.raises(Unserved) as caught:
        use(pool)

    assert caught.value.error.code == "busy"
    assert not caught.value.may_skip
    running.end_turn()
    assert use(pool).name == "default"


def test_servers_are_borrowed_as_long_as_their_program_is_the_same(
    make_pool: MakePool, up: Up, project: Path
) -> None:
    server = project / "server"
    server.write_text(f"#!{sys.executable}\nimport time\nprint('ready', flush=True)\ntime.sleep(600)\n")
    server.chmod(0o755)
    (project / "profiles").mkdir(exist_ok=True)
    (project / "profiles" / "box.toml").write_text(
        'driver = "command"\n[nodes]\ncount = 2\n[ports]\nclient = "29300-29399"\n'
        '[command]\nprogram = "./server"\nstop = "SIGTERM"\n[ready]\nlog = "ready"\n'
    )
    running = up("box", hold=False)
    before = pids(running.status())

    assert pids(use(make_pool({}), Need("box", size=2))) == before

    server.write_text(server.read_text() + "# newer\n")
    after = pids(use(make_pool({}), Need("box", size=2)))
    assert len(after) == 2
    assert not set(after) & set(before)
