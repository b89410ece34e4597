"""Values survive JSON, and a wrong value is refused with the name of its field."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import field
from typing import Any

import pytest

from clusterlib.errors import UsageError
from clusterlib.frozen import frozen
from clusterlib.messages import codec, requests
from clusterlib.messages.codec import NotReadable, plain, revive, salvage
from clusterlib.messages.findings import ok
from clusterlib.messages.measurements import Examined
from clusterlib.messages.requests import Request, TakeTurn, answer_of, name_of, request_of
from clusterlib.messages.status import ClusterStatus, LeaseStatus, OwnShell, TurnGiven, TurnStatus
from tests.statuses import cluster_status, node_status

EVERY = [
    kind
    for kind in vars(requests).values()
    if isinstance(kind, type) and issubclass(kind, Request) and kind not in {Request, requests.NodeRequest}
]
FULL = cluster_status(
    leases=(LeaseStatus(1, "me"),),
    turns=(TurnStatus("a test", True, "now"),),
    nodes=(node_status(), node_status(name="node2", shell=OwnShell(("sh",), {"A": "b"}), pid=None)),
)


def there_and_back(value: object) -> object:
    return revive(type(value), json.loads(json.dumps(plain(value))))


@pytest.mark.parametrize(
    "value",
    [
        FULL,
        TurnGiven(FULL, 0.5),
        Examined({"node": (("cluster", "formed"),)}, {"node1": {"formed": ok("formed", "yes")}}),
        TakeTurn("me", False, 3.0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_comes_back_as_it_was(value: object) -> None:
    assert there_and_back(value) == value


def test_a_field_of_a_newer_version_is_left_out_and_a_missing_one_has_its_default() -> None:
    data = {**plain(TakeTurn("me", False, 3.0)), "colour": "blue"}
    del data["exclusive"]

    assert revive(TakeTurn, data) == TakeTurn("me", True, 3.0)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "[] is no object"),
        ({}, "TakeTurn needs a value for 'holder'"),
        ({"holder": 3}, "holder: 3 is no str"),
        ({"holder": "me", "exclusive": 1}, "exclusive: 1 is no bool"),
        ({"holder": "me", "timeout": True}, "timeout: True is no number"),
        ({"holder": None}, "holder: None is no str"),
    ],
)
def test_what_is_no_such_value_is_refused_with_the_field(data: Any, said: str) -> None:
    with pytest.raises(NotReadable) as caught:
        revive(TakeTurn, data)
    assert str(caught.value) == said


def test_a_field_deep_inside_is_named_with_the_way_to_it() -> None:
    data = plain(FULL)
    data["nodes"][1]["state"] = "asleep"

    with pytest.raises(NotReadable, match="nodes: state: 'asleep' is none of planned, starting, ready"):
        revive(ClusterStatus, data)


def test_an_unknown_word_in_a_request_is_refused_with_its_field_and_the_known_words() -> None:
    kinds = {name_of(kind): kind for kind in EVERY}
    with pytest.raises(UsageError) as caught:
        request_of(kinds, "begin_operation", {"operation": "shop.open", "arguments": {}, "effect": "brake"})
    assert caught.value.cause == "effect: 'brake' is none of read, change, destroy, execute"


def test_what_json_does_not_know_is_refused() -> None:
    @frozen
    class Odd:
        inside: Mapping[str, object]

    with pytest.raises(TypeError, match="object cannot be written as JSON"):
        plain(Odd({"a": object()}))


@pytest.mark.parametrize("kind", EVERY)
def test_every_request_has_an_answer_of_a_known_type_and_is_found_by_its_name(
    kind: type[Request[Any]],
) -> None:
    assert answer_of(kind) is not Any
    assert kind.__name__ in requests.__all__
    assert kind.op or name_of(kind).replace("_", "") == kind.__name__.lower()


def test_a_request_with_arguments_that_it_does_not_have_is_refused() -> None:
    kinds = {name_of(kind): kind for kind in EVERY}
    with pytest.raises(UsageError) as caught:
        request_of(kinds, "status", {"x": 1})
    assert caught.value.cause == "it takes none, not 'x'"


@frozen
class Inner:
    name: str
    size: int = 1


@frozen
class Outer:
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    named: Mapping[str, Inner] = field(default_factory=dict)
    pairs: tuple[tuple[str, str], ...] = ()


def test_what_can_be_read_of_damaged_data_is_read() -> None:
    data = {
        "inner": {"name": "a", "size": "large"},
        "many": [{"name": "b"}, {"size": 2}, 7],
        "named": {"c": {"name": "c"}, "d": None},
        "pairs": [["x", "y"], ["x"]],
    }

    assert salvage(Outer, data) == Outer(Inner("a"), (Inner("b"),), {"c": Inner("c")}, (("x", "y"),))
    assert salvage(Outer, {"inner": {"size": 3}, "many": "none"}) == Outer()
    with pytest.raises(NotReadable):
        salvage(Inner, {"size": 3})
    with pytest.raises(NotReadable):
        salvage(Outer, [])
    with pytest.raises(NotReadable):
        revive(Outer, data)


def test_a_thread_that_reads_while_another_one_prepares_to_gets_all_fields(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @frozen
    class Both:
        first: int = 0
        second: str = ""

    prepare = codec._reader  # there is no public moment between two fields
    found: list[Both] = []

    def interrupted(kind: Any, lenient: bool) -> Any:
        if kind is str and not found:
            found.append(Both())
            reading = threading.Thread(target=lambda: found.append(revive(Both, {"first": 1, "second": "x"})))
            reading.start()
            reading.join()
        return prepare(kind, lenient)

    monkeypatch.setattr(codec, "_reader", interrupted)

    assert revive(Both, {"first": 1, "second": "x"}) == Both(1, "x")
    assert found[1:] == [Both(1, "x")]


def test_a_number_beyond_all_bounds_is_refused() -> None:
    with pytest.raises(NotReadable, match="waited: a number is too large"):
        revive(TurnGiven, {"status": plain(cluster_status()), "waited": 10**400})
