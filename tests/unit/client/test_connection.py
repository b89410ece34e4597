"""The client's end of a conversation with a keeper that ends it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from clusterlib.client.connection import KeeperClient
from clusterlib.errors import KeeperLost, OtherVersion, StartError
from clusterlib.messages.event import Event
from clusterlib.messages.requests import Down, Start, StatusRequest
from clusterlib.remedies import do


@pytest.fixture
def ends() -> Iterator[tuple[KeeperClient, socket.socket]]:
    ours, theirs = socket.socketpair()
    with theirs:
        client = KeeperClient(ours, "shop")
        yield client, theirs
        client.close()


def test_who_was_hung_up_on_before_it_could_ask_still_hears_why(
    ends: tuple[KeeperClient, socket.socket],
) -> None:
    client, keeper = ends
    refusal = StartError("the keeper cannot begin", remedies=[do("cluster.logs")])
    keeper.sendall(json.dumps({"id": None, "error": refusal.to_dict()}).encode() + b"\n")
    keeper.close()

    with pytest.raises(StartError, match="the keeper cannot begin") as caught:
        client.ask(Start())

    assert caught.value.remedies == ("invoke cluster.logs --name shop",)


@pytest.mark.parametrize("result", [None, [], {}, {"name": "shop"}])
def test_an_answer_of_another_version_is_told_from_a_keeper_that_is_lost(
    ends: tuple[KeeperClient, socket.socket], result: object
) -> None:
    client, keeper = ends
    keeper.sendall(json.dumps({"id": 1, "result": result}).encode() + b"\n")

    with pytest.raises(OtherVersion, match="started by another version of clusterlib") as caught:
        client.ask(StatusRequest())

    assert caught.value.remedies == ("invoke cluster.down --name shop", "invoke cluster.up --name shop")


def test_who_expects_no_answer_does_not_mind_one(ends: tuple[KeeperClient, socket.socket]) -> None:
    client, keeper = ends
    keeper.sendall(b'{"id": 1, "result": {"stopped": ["node1"]}}\n')

    client.ask(Down())


def test_a_keeper_of_an_older_version_knows_all_arguments_of_the_request_to_end(
    ends: tuple[KeeperClient, socket.socket],
) -> None:
    """It refuses others, and must be ended all the same."""
    client, keeper = ends
    keeper.sendall(b'{"id": 1, "result": null}\n')

    client.ask(Down("asked to"))

    assert json.loads(keeper.recv(4096))["args"] == {"reason": "asked to"}


@pytest.mark.parametrize("event", [None, [], {}, {"kind": 3}])
def test_an_odd_event_is_an_event_all_the_same(
    ends: tuple[KeeperClient, socket.socket], event: object
) -> None:
    client, keeper = ends
    keeper.sendall(json.dumps({"event": event}).encode() + b'\n{"id": 1, "result": null}\n')
    heard: list[Event] = []

    client.ask(Down(), on_event=heard.append)

    assert [one.kind for one in heard] == [str(event["kind"]) if isinstance(event, dict) and event else ""]


@pytest.mark.parametrize("message", [b"[]", b"3", b'"hello"'])
def test_what_is_no_answer_ends_the_conversation(
    ends: tuple[KeeperClient, socket.socket], message: bytes
) -> None:
    client, keeper = ends
    keeper.sendall(message + b"\n")

    with pytest.raises(KeeperLost, match="was lost") as caught:
        client.ask(StatusRequest())
    assert caught.value.cause == "what it said is no answer"


def test_a_keeper_that_goes_without_a_word_is_lost(ends: tuple[KeeperClient, socket.socket]) -> None:
    client, keeper = ends
    keeper.close()

    with pytest.raises(KeeperLost, match="the keeper of cluster 'shop' was lost"):
        client.ask(Start())
