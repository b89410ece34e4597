"""When silence is taken for death."""

from __future__ import annotations

from clusterlib.runtime.membership import Liveness
from clusterlib.runtime.watch import PeerWatch


def test_silence_makes_a_suspect_first_and_a_dead_later() -> None:
    watch = PeerWatch(1.0)
    watch.set(["b"], 0.0)
    assert watch.verdicts(0.5) == []
    assert watch.next_verdict() == 0.6
    assert watch.verdicts(0.6) == [("b", Liveness.SUSPECT)]
    assert watch.verdicts(0.7) == []
    assert watch.next_verdict() == 0.9
    assert watch.verdicts(0.9) == [("b", Liveness.DEAD)]


def test_a_heartbeat_clears_the_suspicion() -> None:
    watch = PeerWatch(1.0)
    watch.set(["b"], 0.0)
    watch.verdicts(0.7)
    watch.heard("b", 0.8)
    assert watch.verdicts(1.3) == []
    assert watch.verdicts(1.41) == [("b", Liveness.SUSPECT)]


def test_a_watcher_that_was_late_grants_its_lag_before_it_accuses() -> None:
    watch = PeerWatch(1.0)
    watch.set(["b"], 0.0)
    watch.was_late(5.0, 5.2)
    assert watch.verdicts(5.2) == []
    assert (
        watch.verdicts(5.2 + 2.0) == []
    )  # and is lenient for a while, by no more than twice the detection time
    assert ("b", Liveness.DEAD) in watch.verdicts(5.2 + 2.9)


def test_leniency_ends() -> None:
    watch = PeerWatch(1.0)
    watch.set(["b"], 0.0)
    watch.was_late(0.5, 1.0)
    watch.was_late(0.0, 10.0)
    watch.heard("b", 10.0)
    assert ("b", Liveness.DEAD) in watch.verdicts(10.9)


def test_the_usual_lateness_of_an_event_loop_changes_nothing() -> None:
    watch = PeerWatch(1.0)
    watch.set(["b"], 0.0)
    watch.was_late(0.01, 0.5)
    assert ("b", Liveness.DEAD) in watch.verdicts(0.9)


def test_whom_to_watch_can_change_and_only_newcomers_start_afresh() -> None:
    watch = PeerWatch(1.0)
    watch.set(["b", "c"], 0.0)
    watch.set(["c", "d"], 0.5)
    assert "b" not in watch
    assert watch.verdicts(0.6) == [("c", Liveness.SUSPECT)]
    watch.set([], 1.0)
    assert watch.next_verdict() == float("inf")
