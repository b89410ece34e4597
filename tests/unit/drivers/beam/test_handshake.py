"""The handshake, with both sides in memory."""

from __future__ import annotations

import hashlib

import pytest

from clusterlib.drivers.beam.handshake import NAME_ME, Handshake
from clusterlib.errors import CookieMismatch, NameTaken, NodeUnavailable, NoDistribution

NODE = "n1@127.0.0.1"
COOKIE = "crumbs"
CHALLENGE = 0xDEADBEEF


def digest(challenge: int, cookie: str = COOKIE) -> bytes:
    return hashlib.md5(f"{cookie}{challenge}".encode()).digest()


def challenge(name: str = NODE) -> bytes:
    return b"N" + bytes(8) + CHALLENGE.to_bytes(4) + bytes(4) + len(name).to_bytes(2) + name.encode()


def shaken(handshake: Handshake, status: bytes, cookie: str = COOKIE) -> None:
    assert handshake.receive(b"s" + status) == b""
    proof = handshake.receive(challenge())
    assert proof[:3] == b"\x00\x15r"
    assert proof[7:] == digest(CHALLENGE)
    ours = int.from_bytes(proof[3:7])
    handshake.receive(b"a" + digest(ours, cookie))


def test_a_node_gives_us_a_name_where_we_have_none() -> None:
    handshake = Handshake(NODE, COOKIE)
    assert int.from_bytes(handshake.send[3:11]) & NAME_ME
    assert handshake.send.endswith(b"\x00\x09127.0.0.1")

    shaken(handshake, b"named:\x00\x0bX@127.0.0.1" + (77).to_bytes(4))

    assert handshake.peer is not None
    assert (handshake.peer.name, handshake.peer.our_name, handshake.peer.our_creation) == (
        NODE,
        "X@127.0.0.1",
        77,
    )


@pytest.mark.parametrize("status", [b"ok", b"ok_simultaneous"])
def test_a_name_of_our_own_is_kept(status: bytes) -> None:
    handshake = Handshake(NODE, COOKIE, our_name="us@127.0.0.1")
    assert not int.from_bytes(handshake.send[3:11]) & NAME_ME

    shaken(handshake, status)

    assert handshake.peer is not None
    assert handshake.peer.our_name == "us@127.0.0.1"


def test_a_connection_that_died_unnoticed_is_replaced() -> None:
    handshake = Handshake(NODE, COOKIE, our_name="us@127.0.0.1")

    assert handshake.receive(b"salive") == b"\x00\x05strue"
    assert handshake.receive(challenge())[2:3] == b"r"


def test_what_does_not_know_the_cookie_is_not_believed() -> None:
    with pytest.raises(CookieMismatch, match="does not know the cookie"):
        shaken(Handshake(NODE, COOKIE, our_name="us@127.0.0.1"), b"ok", cookie="other crumbs")


def test_where_the_connection_closes_tells_what_is_wrong() -> None:
    handshake = Handshake(NODE, COOKIE, our_name="us@127.0.0.1")
    assert type(handshake.closed()) is NoDistribution
    handshake.receive(b"sok")
    assert type(handshake.closed()) is NoDistribution
    handshake.receive(challenge())
    assert type(handshake.closed()) is CookieMismatch


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (b"snok", NameTaken),
        (b"snot_allowed", NodeUnavailable),
        (b"s???", NoDistribution),
        (b"", NoDistribution),
    ],
)
def test_each_refusal_has_its_name(status: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        Handshake(NODE, COOKIE, our_name="us@127.0.0.1").receive(status)


@pytest.mark.parametrize("message", [challenge("n2@127.0.0.1"), challenge("n1@localhost")])
def test_another_node_in_its_place_is_called_by_its_name(message: bytes) -> None:
    handshake = Handshake(NODE, COOKIE, our_name="us@127.0.0.1")
    handshake.receive(b"sok")

    with pytest.raises(NameTaken, match="another node"):
        handshake.receive(message)


@pytest.mark.parametrize("message", [b"N", b"N" + bytes(12), b"x", b"n\x00\x05"])
def test_a_challenge_cut_short_is_no_erlang_node(message: bytes) -> None:
    handshake = Handshake(NODE, COOKIE, our_name="us@127.0.0.1")
    handshake.receive(b"sok")

    with pytest.raises(NoDistribution):
        handshake.receive(message)
