"""What answers of an Erlang node mean, judged without one."""

from __future__ import annotations

from typing import Any

from clusterlib.drivers.beam import health
from clusterlib.drivers.beam.terms import Atom
from clusterlib.messages.findings import CheckOutcome, Finding

FACTS: dict[str, Any] = {
    "applications": [(Atom("kernel"), b"8"), (Atom("shop"), b"1")],
    "processes": 50,
    "process_limit": 100,
    "atoms": 10,
    "atom_limit": 100,
    "run_queue": 0,
    "schedulers": 1,
}


def look(wanted: tuple[str, ...] = (), **changed: Any) -> dict[str, Finding]:
    told = {Atom(key): value for key, value in {**FACTS, **changed}.items()}
    return health.look(told, wanted, "node1")


def test_what_is_well_is_told_with_its_figures() -> None:
    found = look(("shop",))

    assert {finding.outcome for finding in found.values()} == {CheckOutcome.OK}
    assert found["applications"].evidence == "2 running"
    assert found["processes"].evidence == "50 of 100"


def test_limits_that_are_near_are_a_warning_with_a_remedy() -> None:
    found = look(processes=80, atoms=99, run_queue=51)

    for column in ("processes", "atoms", "run queue"):
        assert found[column].outcome is CheckOutcome.WARNING
        assert found[column].remedies


def test_every_failure_names_what_fails_and_what_to_do() -> None:
    found = [
        look(("tea",))["applications"],
        health.rpc(41, "node1"),
        health.cookie("node1 refuses this cookie", "node1"),
        health.serving(["counter", *"abcdef"], "node1"),
        health.operations("node2@h", same=True, node="node1@h"),
        health.operations("node1@h", same=False, node="node1@h"),
        health.formed(frozenset({"node1"}), frozenset({"node1", "node2"})),
        health.reach("node2", None, "timeout", "node1"),
        health.unreachable("it is gone", "node1")["ping"],
    ]

    assert {finding.outcome for finding in found} == {CheckOutcome.FAILED}
    assert all(any("node" in remedy for remedy in finding.remedies) for finding in found)
    assert [finding.evidence for finding in found] == [
        "not running: tea",
        "40 + 2 is 41 there",
        "node1 refuses this cookie",
        "no sign of life from counter, a, b, c, d and 2 more",
        "work for node1@h was done by node2@h",
        "what comes back is not what was sent",
        "1/2: it does not see node2",
        "node2 does not answer it: timeout",
        "it is gone",
    ]


def test_who_cannot_be_reached_is_asked_nothing_else() -> None:
    found = health.unreachable("it is gone", "node1")

    assert found.keys() == {name for _, name in health.COLUMNS}
    assert [name for name, finding in found.items() if finding.outcome is CheckOutcome.FAILED] == ["ping"]


def test_a_line_of_trouble_in_the_log_is_a_warning() -> None:
    assert health.log(None, "node1").outcome is CheckOutcome.OK
    assert health.log("Invalid challenge reply", "node1").outcome is CheckOutcome.WARNING
