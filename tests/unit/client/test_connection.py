"""The client's end of a conversation with a keeper that ends it."""

from __future__ import annotations

import json
import socket

import pytest

from clusterlib.client.connection import KeeperClient
from clusterlib.errors import KeeperLost, StartError
from clusterlib.messages.requests import Start


@pytest.fixture
def ends() -> tuple[KeeperClient, socket.socket]:
    ours, theirs = socket.socketpair()
    return KeeperClient(ours, "shop"), theirs


def test_who_was_hung_up_on_before_it_could_ask_still_hears_why(
    ends: tuple[KeeperClient, socket.socket],
) -> None:
    client, keeper = ends
    refusal = StartError("the keeper cannot begin", remedies=["invoke cluster.logs"])
    keeper.sendall(json.dumps({"id": None, "error": refusal.to_dict()}).encode() + b"\n")
    keeper.close()

    with pytest.raises(StartError, match="the keeper cannot begin") as caught:
        client.ask(Start())

    assert caught.value.remedies == ("invoke cluster.logs --name shop",)


def test_a_keeper_that_goes_without_a_word_is_lost(ends: tuple[KeeperClient, socket.socket]) -> None:
    client, keeper = ends
    keeper.close()

    with pytest.raises(KeeperLost, match="the keeper of cluster 'shop' was lost"):
        client.ask(Start())
