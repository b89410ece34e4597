"""What is said over a connection, without one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlib.drivers.beam.etf import decode_from, encode
from clusterlib.drivers.beam.handshake import Peer
from clusterlib.drivers.beam.session import Frames, NodeMessage, Reply, Session, called, raised
from clusterlib.drivers.beam.terms import Atom, Pid, Ref
from clusterlib.errors import ErlangError, NodeUnavailable, TermError

PEER = Peer("n1@127.0.0.1", "us@127.0.0.1", 7, 0)
NODE = Atom("n1@127.0.0.1")


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4) + body


def sent(control: Any, message: Any) -> bytes:
    return b"p" + encode(control) + encode(message)


def asked(session: Session, *args: Any) -> tuple[int, Ref]:
    """Makes a call; gives its number and the reference that the node would see."""
    number, parts = session.call(Atom("m"), Atom("f"), args)
    whole = b"".join(parts)
    assert int.from_bytes(whole[:4]) == len(whole) - 4
    _, start = decode_from(whole, 5)
    message, _ = decode_from(whole, start)
    return number, message[1][1]


@given(st.lists(st.binary(max_size=300), max_size=12), st.data())
def test_frames_are_cut_alike_however_they_arrive(bodies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(framed, bodies))
    frames, found = Frames(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += frames.feed(stream[:size])
        stream = stream[size:]

    assert found == bodies
    assert frames.missing == 0


def test_a_large_frame_says_how_much_is_missing() -> None:
    frames = Frames()

    assert frames.feed(framed(bytes(1_000_000))[:100]) == []
    assert frames.missing == 1_000_004 - 100
    assert frames.feed(bytes(1_000_004 - 100) + framed(b"next")) == [bytes(1_000_000), b"next"]


def test_a_frame_beyond_all_measure_is_refused_before_it_is_read() -> None:
    with pytest.raises(NodeUnavailable, match="more than the 1000 allowed"):
        Frames(largest=1000).feed((1001).to_bytes(4))


def test_a_reply_is_known_by_the_number_of_its_call() -> None:
    session = Session(PEER)
    (first, first_ref), (second, second_ref) = asked(session), asked(session)

    replies = [
        session.sort(sent((2, Atom(""), session.pid), (ref, ref.ids[0]))) for ref in (second_ref, first_ref)
    ]

    assert [(reply.number, reply.read()) for reply in replies if isinstance(reply, Reply)] == [
        (second, second_ref.ids[0]),
        (first, first_ref.ids[0]),
    ]


def test_numbers_go_beyond_the_first_word_of_a_reference() -> None:
    session = Session(PEER)
    session._numbers = iter(range(2**18 - 1, 2**18 + 2))  # type: ignore[assignment]

    seen = [asked(session) for _ in range(3)]

    replies = [session.sort(sent((2, Atom(""), session.pid), (ref, 0))) for _, ref in seen]
    assert [reply.number for reply in replies if isinstance(reply, Reply)] == [number for number, _ in seen]


@pytest.mark.parametrize(
    "message",
    [
        Atom("hello"),
        (Ref(NODE, (1, 0, 0), 1), Atom("a reference that is not ours")),
        (1, 2),
        [],
    ],
)
def test_a_message_that_answers_nothing_is_told(message: Any) -> None:
    session = Session(PEER)

    assert session.sort(sent((22, Pid(NODE, 1, 0, 1), session.pid), message)) == NodeMessage(message)


def test_what_does_not_concern_us_is_let_go() -> None:
    session = Session(PEER)

    assert session.sort(b"p" + encode((1, Pid(NODE, 1, 0, 1), session.pid))) is None
    assert session.sort(b"\x83D\x00") is None
    controls: list[Any] = [(), [], 1, ([2],), (2,)]
    for control in controls:
        assert session.sort(b"p" + encode(control)) is None
    assert session.sort(sent((2, Atom(""), session.pid), [300])[:-1] + b"\xff") is None


def test_a_reply_that_cannot_be_read_spoils_only_its_own_call() -> None:
    session = Session(PEER)
    number, ref = asked(session)
    good = sent((2, Atom(""), session.pid), (ref, [300]))

    reply = session.sort(good[:-1] + b"\xff")  # the tail of the list is now no term

    assert isinstance(reply, Reply)
    assert reply.number == number
    with pytest.raises(TermError):
        reply.read()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((Atom("error"), Atom("badarg"), []), "m:f/1 ended with error:badarg"),
        ((Atom("throw"), b"x", []), 'm:f/1 ended with throw:<<"x">>'),
        ((Atom("badrpc"), (Atom("EXIT"), Atom("killed"))), "m:f/1 ended with exit:killed"),
        (
            (Atom("badrpc"), (Atom("EXIT"), (Atom("undef"), [(Atom("m"), Atom("f"), [1], [])]))),
            "m:f/1 ended with error:undef",
        ),
        (
            (
                Atom("error"),
                {Atom("__struct__"): Atom("Elixir.KeyError"), Atom("key"): b"k", Atom("message"): None},
                [],
            ),
            'm:f/1 ended with error:(KeyError) #{key => <<"k">>,message => nil}',
        ),
        ((Atom("badrpc"), Atom("nodedown")), "m:f/1 ended with exit:nodedown"),
    ],
)
def test_each_way_to_fail_becomes_an_error(answer: Any, problem: str) -> None:
    with pytest.raises(ErlangError) as caught:
        called(answer, "m:f/1")

    assert caught.value.problem == problem


def test_values_stay_values() -> None:
    assert called((Atom("ok"), (Atom("badrpc"), 1)), "m:f/0") == (Atom("badrpc"), 1)
    assert raised((Atom("error"), Atom("enoent")), "m:f/0") == (Atom("error"), Atom("enoent"))


def test_a_stack_is_told_with_files_and_lines_and_cut_where_it_is_long() -> None:
    frame = (
        Atom("shop"),
        Atom("pay"),
        [1, 2],
        [(Atom("file"), [*map(ord, "src/shop.erl")]), (Atom("line"), 7)],
    )

    with pytest.raises(ErlangError) as caught:
        called((Atom("error"), b"x" * 10_000, [frame] * 100), "shop:pay/2")

    assert caught.value.evidence == ("shop:pay/2 (src/shop.erl:7)",) * 12
    assert len(caught.value.problem) < 400
    assert len(caught.value.stack) == 100
