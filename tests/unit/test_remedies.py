"""A remedy: a text that knows the operations in it."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from clusterlib.doors.program.wording import ProgramWording
from clusterlib.doors.wording import Wording
from clusterlib.errors import ClusterError
from clusterlib.messages.codec import plain, revive, sent
from clusterlib.messages.findings import Finding, failed
from clusterlib.remedies import OperationCall, Remedy, do, revived

EITHER = (
    "end it, or " + do("cluster.down") + " and " + do("cluster.up", nodes=2) + ", which takes other ports"
)


@pytest.mark.parametrize(
    ("remedy", "in_invoke", "in_the_program"),
    [
        (
            do("cluster.restart", "node2", rolling=True),
            "invoke cluster.restart node2 --rolling",
            "clusterlib restart node2 --rolling",
        ),
        (
            do("profile.show", "my shop.toml", resolved=True) + "  # see [ports]",
            "invoke profile.show 'my shop.toml' --resolved  # see [ports]",
            "clusterlib profile show 'my shop.toml' --resolved  # see [ports]",
        ),
        (
            do("cluster.run", profile="dev", command=["pytest", "-k", "a or b"]),
            "invoke cluster.run --profile dev -- pytest -k 'a or b'",
            "clusterlib run --profile dev -- pytest -k 'a or b'",
        ),
        (
            EITHER,
            "end it, or invoke cluster.down and invoke cluster.up --nodes 2, which takes other ports",
            "end it, or clusterlib down and clusterlib up --nodes 2, which takes other ports",
        ),
        (
            do("cluster.faults.flood", "node1", at_once=True, size_limit=3),
            "invoke cluster.faults.flood node1 --at-once --size-limit 3",
            "clusterlib faults flood node1 --at-once --size-limit 3",
        ),
        (do("cluster.up", name=None), "invoke cluster.up", "clusterlib up"),
        (do("cluster.up", simulate=False), "invoke cluster.up", "clusterlib up"),
        (
            do("cluster.faults.flood", no_colour=True),
            "invoke cluster.faults.flood --no-colour",
            "clusterlib faults flood --no-colour",
        ),
        (Remedy.of("ulimit -n"), "ulimit -n", "ulimit -n"),
        (Remedy.of("rm -r my-cluster.down"), "rm -r my-cluster.down", "rm -r my-cluster.down"),
        (Remedy.of("invoke cluster.up"), "invoke cluster.up", "invoke cluster.up"),
    ],
)
def test_each_door_calls_the_operation_in_its_own_way(
    remedy: Remedy, in_invoke: str, in_the_program: str
) -> None:
    assert str(remedy) == in_invoke
    assert Wording()(remedy) == in_invoke
    assert ProgramWording()(remedy) == in_the_program


@pytest.mark.parametrize(
    ("remedy", "named"),
    [
        (do("cluster.logs", "node1"), "invoke cluster.logs node1 --name shop"),
        (do("cluster.restart", fresh=True) + "  # all", "invoke cluster.restart --fresh --name shop  # all"),
        (do("cluster.run", command=["pytest", "-q"]), "invoke cluster.run --name shop -- pytest -q"),
        (
            EITHER,
            "end it, or invoke cluster.down --name shop and invoke cluster.up --nodes 2 --name shop, which takes other ports",
        ),
        (do("cluster.up", name="dev-2"), "invoke cluster.up --name dev-2"),
        (do("cluster.down", all=True), "invoke cluster.down --all"),
        (do("cluster.doctor"), "invoke cluster.doctor"),
        (do("profile.list"), "invoke profile.list"),
        (Remedy.of("df -h /"), "df -h /"),
    ],
)
def test_the_name_of_the_cluster_is_an_argument(remedy: Remedy, named: str) -> None:
    assert remedy.of_cluster("shop") == named
    assert remedy.of_cluster("shop").of_cluster("shop") == named, "named once"
    assert remedy.of_cluster("default") == remedy


@pytest.mark.parametrize(
    ("remedy", "of_profile"),
    [
        (do("cluster.up", nodes=2), "invoke cluster.up --nodes 2 --profile other/shop.toml"),
        (do("cluster.up", profile="shop"), "invoke cluster.up --profile other/shop.toml"),
        (do("cluster.up", profile="dev"), "invoke cluster.up --profile dev"),
        ("X=1 " + do("cluster.doctor"), "X=1 invoke cluster.doctor --profile other/shop.toml"),
        (do("profile.show", resolved=True), "invoke profile.show other/shop.toml --resolved"),
        (do("profile.show", "shop"), "invoke profile.show other/shop.toml"),
        (do("profile.check", "dev"), "invoke profile.check dev"),
        (do("cluster.down"), "invoke cluster.down"),
    ],
)
def test_the_profile_is_an_argument(remedy: Remedy, of_profile: str) -> None:
    assert remedy.of_profile("other/shop.toml") == of_profile


@pytest.mark.parametrize(
    "remedy", [EITHER, do("cluster.run", verbose=True, command=["true"]), Remedy.of("x")]
)
def test_a_remedy_keeps_its_operations_wherever_it_is_sent(remedy: Remedy) -> None:
    error = ClusterError("it broke", remedies=[remedy])
    finding = failed("ports", "taken", remedy)

    over_a_socket = ClusterError.from_dict(json.loads(json.dumps(error.to_dict())))
    from_a_keeper = revive(Finding, json.loads(json.dumps(sent(finding))))

    for seen in (
        over_a_socket.remedies[0],
        from_a_keeper.remedies[0],
        pickle.loads(pickle.dumps(error)).remedies[0],
        pickle.loads(pickle.dumps(remedy)),
        copy.deepcopy(remedy),
    ):
        assert seen.parts == remedy.parts


def test_in_json_a_remedy_is_its_text_and_an_error_has_its_parts_as_well() -> None:
    told = do("cluster.restart", "node2", rolling=True) + "  # one after another"

    error = json.loads(json.dumps(ClusterError("it broke", remedies=[told, "ulimit -n"]).to_dict()))
    finding = json.loads(json.dumps(plain(failed("log", "broken", told))))

    assert error["remedies"] == ["invoke cluster.restart node2 --rolling  # one after another", "ulimit -n"]
    assert error["remedy_parts"] == [
        [
            {"operation": "cluster.restart", "words": ["node2"], "options": {"rolling": True}, "rest": []},
            "  # one after another",
        ],
        ["ulimit -n"],
    ]
    assert finding["remedies"] == ["invoke cluster.restart node2 --rolling  # one after another"]
    assert type(ClusterError("it broke", remedies=[told]).to_dict()["remedies"][0]) is str


@pytest.mark.parametrize(
    "parts",
    [None, 7, [], [["a"], ["b"]], [[{"operation": "cluster.up"}]], [[7]], [[{"operation": "x", "words": 1}]]],
)
def test_the_text_is_left_if_another_version_has_sent_unreadable_parts(parts: object) -> None:
    sent_by_another = {"code": "usage", "problem": "p", "remedies": ["clusterlib up"], "remedy_parts": parts}

    assert ClusterError.from_dict(sent_by_another).remedies == ("clusterlib up",)


def test_a_remedy_that_is_only_a_text_can_be_revived() -> None:
    assert revived("ulimit -n").parts == ("ulimit -n",)
    assert revived([{"operation": "cluster.up", "words": [], "options": {}, "rest": []}]).parts == (
        OperationCall("cluster.up"),
    )


def test_the_default_cluster_is_named_where_the_environment_names_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLUSTERLIB_NAME", "other")

    assert do("cluster.down").of_cluster("default") == "invoke cluster.down --name default"
    assert do("cluster.down").of_cluster("other") == "invoke cluster.down --name other"
