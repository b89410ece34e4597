"""The handshake and the frames, without a socket."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlib.errors import UsageError
from clusterlib.runtime import wire
from clusterlib.runtime.wire import CookieDiffers, FrameBuffer, HandshakeRefused, Oversized, Role

COOKIE = b"sixteen bytes or more"


def test_two_who_share_a_cookie_believe_each_other() -> None:
    greeting = wire.greeting(Role.PEER)
    assert wire.check_greeting(greeting) is Role.PEER
    reply = wire.reply(COOKIE, greeting, "node1", 1234)
    assert wire.check_reply(COOKIE, greeting, reply, "node1") == 1234
    assert wire.is_proof(COOKIE, greeting, reply, wire.proof(COOKIE, greeting, reply))


def test_sizes_are_fixed() -> None:
    greeting = wire.greeting(Role.CLIENT)
    reply = wire.reply(COOKIE, greeting, "a name of any length" * 20, 1)
    assert len(greeting) == wire.GREETING_SIZE
    assert len(reply) == wire.REPLY_SIZE
    assert len(wire.proof(COOKIE, greeting, reply)) == wire.PROOF_SIZE


def test_another_cookie_another_name_and_another_greeting_are_refused() -> None:
    greeting = wire.greeting(Role.CLIENT)
    reply = wire.reply(COOKIE, greeting, "node1", 1)
    with pytest.raises(CookieDiffers):
        wire.check_reply(COOKIE + b"!", greeting, reply, "node1")
    with pytest.raises(HandshakeRefused, match="another node"):
        wire.check_reply(COOKIE, greeting, reply, "node2")
    with pytest.raises(CookieDiffers):
        wire.check_reply(COOKIE, wire.greeting(Role.CLIENT), reply, "node1")
    assert not wire.is_proof(COOKIE + b"!", greeting, reply, wire.proof(COOKIE, greeting, reply))


def test_no_code_serves_for_the_other_direction() -> None:
    greeting = wire.greeting(Role.CLIENT)
    reply = wire.reply(COOKIE, greeting, "node1", 1)
    assert not wire.is_proof(COOKIE, greeting, reply, reply[-wire.PROOF_SIZE :])
    assert not wire.is_proof(COOKIE, greeting, reply, wire.NO_PROOF)


def test_the_role_is_part_of_what_is_proven() -> None:
    greeting = bytearray(wire.greeting(Role.CLIENT))
    reply = wire.reply(COOKIE, greeting, "node1", 1)
    proof = wire.proof(COOKIE, greeting, reply)
    greeting[6] = Role.PEER
    assert not wire.is_proof(COOKIE, greeting, reply, proof)


@pytest.mark.parametrize("mode", [0o400, 0o600])
def test_a_cookie_of_our_own_is_read(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "cookie"
    path.write_bytes(COOKIE + b"\n")
    path.chmod(mode)
    assert wire.read_cookie(str(path)) == COOKIE


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620, 0o500])
def test_a_cookie_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "cookie"
    path.write_bytes(COOKIE)
    path.chmod(mode)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    with pytest.raises(UsageError, match="open to others"):
        wire.read_cookie(str(path))


def test_a_missing_short_or_odd_cookie_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        wire.read_cookie(str(tmp_path / "none"))
    with pytest.raises(UsageError, match="not a regular file"):
        wire.read_cookie(str(tmp_path))
    short = tmp_path / "short"
    short.write_bytes(b"short")
    short.chmod(0o400)
    with pytest.raises(UsageError, match="shorter"):
        wire.read_cookie(str(short))


def feed(frames: FrameBuffer, data: bytes, steps: list[int]) -> list[tuple[int, bytes]]:
    """Hands the bytes over in pieces, as a socket would."""
    found = []
    position = 0
    for step in [*steps, *[1 << 20] * len(data)]:
        if position == len(data):
            break
        room = frames.buffer()
        piece = data[position : position + min(step, len(room))]
        room[: len(piece)] = piece
        position += len(piece)
        found += [(kind, bytes(payload)) for kind, payload in frames.filled(len(piece))]
    return found


messages = st.lists(
    st.tuples(
        st.integers(0, 255),
        st.one_of(st.binary(max_size=300), st.integers(8000, 30_000).map(lambda size: b"x" * size)),
    ),
    max_size=8,
)


@given(messages, st.lists(st.integers(1, 9000), max_size=30))
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    sent: list[tuple[int, bytes]], steps: list[int]
) -> None:
    data = b"".join(wire.frame_header(kind, len(payload)) + payload for kind, payload in sent)
    assert feed(FrameBuffer(1 << 20), data, steps) == sent


def test_a_frame_beyond_the_limit_is_refused_by_its_header_alone() -> None:
    with pytest.raises(Oversized, match=r"4\.0 MB is beyond the limit of 1000 bytes"):
        feed(FrameBuffer(1000), wire.frame_header(1, 4_000_000), [])
