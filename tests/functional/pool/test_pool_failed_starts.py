"""When a cluster does not start: what is tried, what is told, and how often."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlib.leases.need import Need
from clusterlib.leases.pool import Unserved
from clusterlib.leases.schedule import Asked
from tests.functional.pool.using import QUICK, MakePool, Records, size, use, write_app


def test_a_start_is_tried_again_and_what_fails_once_is_remembered(
    make_pool: MakePool, project: Path, records: Records
) -> None:
    pool = make_pool(write_app(project, "os.kill(os.getpid(), 9)"))

    with pytest.raises(Unserved) as caught:
        use(pool)
    before = len(records)
    with pytest.raises(Unserved) as again:
        use(pool, size=4)

    assert records.of("cluster.failed", "next") == ["retry", "retry", "skip"]
    assert caught.value.error.code == "node-exited"
    assert caught.value.first
    assert again.value.error is caught.value.error
    assert not again.value.first
    assert len(records) == before
    assert [one.tests for one in pool.usage.failures] == [2]


def test_a_start_that_fails_once_is_a_start_that_succeeds(
    make_pool: MakePool, project: Path, records: Records
) -> None:
    once = str(project / "once")
    body = f"p = pathlib.Path({once!r}); first = not p.exists(); p.touch(); first and os.kill(os.getpid(), 9)"
    pool = make_pool({**write_app(project, body), "nodes.count": 1})

    assert use(pool).state == "ready"
    assert records.of("cluster.failed", "next") == ["retry"]


def test_an_application_that_fails_is_started_once_and_no_test_is_skipped_for_it(
    make_pool: MakePool, project: Path, records: Records
) -> None:
    asked: list[str] = []

    def diagnose(profile: str) -> list[str]:
        asked.append(profile)
        return ["memory: 3 MiB free"]

    fallbacks = ["retry", "smaller", "simulate", "skip"]
    pool = make_pool({**write_app(project, "os._exit(7)"), "tests.fallbacks": fallbacks}, diagnose=diagnose)

    for nodes in (None, 1):
        with pytest.raises(Unserved) as caught:
            use(pool, size=nodes)
        assert caught.value.error.code == "application-failed"
        assert not caught.value.may_skip
    assert records.of("cluster.failed", "next") == ["fail"]
    assert not asked, "the machine is not to blame"


def test_a_node_that_never_gets_ready_is_not_waited_for_again_and_again(
    make_pool: MakePool, project: Path, records: Records
) -> None:
    pool = make_pool({**write_app(project, "threading.Event().wait()"), "timeouts.start": 0.8})

    with pytest.raises(Unserved) as caught:
        use(pool)

    assert caught.value.error.code == "node-not-ready"
    assert records.of("cluster.failed", "next") == ["skip"]


@pytest.fixture
def three_ports() -> Iterator[str]:
    """A range in which no more than three ports are free."""
    for first in range(12000, 19000, 10):
        holders = []
        try:
            for port in range(first, first + 10):
                holders.append(socket.socket())
                holders[-1].bind(("127.0.0.1", port))
        except OSError:
            for holder in holders:
                holder.close()
            continue
        for holder in holders[:3]:
            holder.close()
        yield f"{first}-{first + 9}"
        for holder in holders[3:]:
            holder.close()
        return
    pytest.fail("no ten ports in a row are free")


def test_with_too_few_ports_a_smaller_cluster_serves_whom_it_can(
    make_pool: MakePool, three_ports: str, records: Records
) -> None:
    pool = make_pool({**QUICK, "nodes.count": 5, "ports.http": three_ports, "retry.attempts": 0})
    pool.expect(pool.schedule([Asked("a", Need(size=2)), Asked("b", Need(size=1))]))

    assert size(use(pool, size=1)) == 2
    assert pool.usage.clusters[0].notes == [
        "5 nodes did not start; it has 2, which is what its tests ask for"
    ]
    assert records.of("cluster.failed", "next") == ["smaller"]
    with pytest.raises(Unserved) as caught:
        use(pool, size=4)
    assert caught.value.error.code == "ports-exhausted"
    assert size(use(pool, size=2)) == 2


def test_never_smaller_than_the_tests_ask_for(
    make_pool: MakePool, three_ports: str, records: Records
) -> None:
    pool = make_pool({**QUICK, "nodes.count": 5, "ports.http": three_ports, "retry.attempts": 0})
    pool.expect(pool.schedule([Asked("a", Need(size=4)), Asked("b", Need(size=1))]))

    with pytest.raises(Unserved):
        use(pool, size=4)

    assert records.of("cluster.failed", "nodes") == [5, 4]
    assert records.of("cluster.failed", "next") == ["smaller", "skip"]
    assert size(use(pool, size=1)) == 1


def test_a_simulated_cluster_stands_in_where_that_is_allowed(
    make_pool: MakePool, project: Path, records: Records
) -> None:
    (project / "app.py").write_text(  # nodes that are real processes never meet in one
        "import os, threading\n"
        "both = threading.Barrier(2)\n"
        "def main():\n"
        "    try:\n"
        "        both.wait(0.5)\n"
        "    except threading.BrokenBarrierError:\n"
        "        os.kill(os.getpid(), 9)\n"
    )
    allowed = {"tests.fallbacks": ["simulate", "skip"], "tests.workers": "shared"}
    pool, other = (
        make_pool({**QUICK, "python.app": "app:main", **allowed}, shared_name="pytest-shared")
        for _ in range(2)
    )

    held = pool.acquire(Need(), "a test")

    assert held.cluster.simulated
    assert held.notes == ["no real cluster started; this one is SIMULATED"]
    assert pool.usage.clusters[0].simulated
    assert records.of("cluster.failed", "next") == ["simulate"]
    assert records.of("cluster.started", "simulated") == [True]
    beside = other.acquire(Need(), "another test")
    assert beside.how == "joined"
    assert beside.cluster.name == held.cluster.name
    assert beside.notes == held.notes
    beside.release()
    held.release()


def test_where_all_fails_strict_tests_fail_and_others_are_skipped(
    make_pool: MakePool, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {**write_app(project, "os.kill(os.getpid(), 9)"), "retry.attempts": 0}

    def may_skip(**more: object) -> bool:
        with pytest.raises(Unserved) as caught:
            use(make_pool({**broken, **more}))
        return caught.value.may_skip

    assert may_skip(**{"tests.strict": "ci"})
    assert not may_skip(**{"tests.strict": "always"})
    assert not may_skip(**{"tests.fallbacks": ["retry"]})
    monkeypatch.setenv("CI", "true")
    assert not may_skip(**{"tests.strict": "ci"})
    assert may_skip(**{"tests.strict": "never"})


def test_what_is_wrong_with_the_machine_is_told_with_the_error(make_pool: MakePool, project: Path) -> None:
    asked: list[str] = []

    def diagnose(profile: str) -> list[str]:
        asked.append(profile)
        return ["memory: 3 MiB free"]

    pool = make_pool({**write_app(project, "os.kill(os.getpid(), 9)")}, diagnose=diagnose)
    with pytest.raises(Unserved) as caught:
        use(pool)

    assert asked == ["dev"]
    assert "memory: 3 MiB free" in caught.value.error.evidence


def test_a_mistake_in_a_profile_is_never_skipped_and_nothing_is_tried(
    make_pool: MakePool, project: Path, records: Records
) -> None:
    (project / "profiles").mkdir()
    (project / "profiles" / "wrong.toml").write_text('extends = "dev"\n[nodes]\nmin = "many"\n')
    pool = make_pool(QUICK)

    for profile in ("wrong", "nowhere"):
        with pytest.raises(Unserved) as caught:
            use(pool, profile=profile)
        assert caught.value.error.code == "profile"
        assert not caught.value.may_skip
    with pytest.raises(Unserved) as caught:
        use(pool, size=1001)
    assert caught.value.error.code == "impossible"
    assert not records


def test_a_growth_that_fails_costs_no_test_its_cluster(make_pool: MakePool, three_ports: str) -> None:
    pool = make_pool({**QUICK, "ports.http": three_ports, "retry.attempts": 0})
    use(pool)

    with pytest.raises(Unserved) as caught:
        use(pool, size=5)
    assert caught.value.error.code == "ports-exhausted"

    assert size(use(pool)) == 2
    with pytest.raises(Unserved) as again:
        use(pool, size=6)
    assert not again.value.first
