"""A log keeps each line with its time, whatever a node prints, and never blocks the keeper."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from clusterlib.hosts.logs import LONGEST_LINE, LogFollower, LogWriter, read, tail, unread


def _texts(path: Path) -> list[str]:
    return [line.text for line in read(path)]


def test_lines_are_stamped_and_carry_their_node(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "node1.log")
    before = datetime.now(UTC)
    log.feed(b"one\ntwo\n")
    log.close()
    lines = list(read(tmp_path / "node1.log"))
    assert [(line.node, line.text) for line in lines] == [("node1", "one"), ("node1", "two")]
    assert before <= lines[0].time <= datetime.now(UTC)
    assert (tmp_path / "node1.log").stat().st_mode & 0o777 == 0o600


def test_a_line_in_pieces_is_one_line_and_the_last_needs_no_end(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "n.log")
    for piece in (b"a", b"b\nc", b"", b"d\n\ne"):
        log.feed(piece)
    assert log.tail(2) == ["", "e"]
    log.close()
    log.close()
    assert _texts(tmp_path / "n.log") == ["ab", "cd", "", "e"]


def test_what_is_not_utf8_is_kept_and_readable(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "n.log")
    log.feed(b"caf\xe9 \xff\r\n")
    log.close()
    assert b"caf\xe9 \xff" in (tmp_path / "n.log").read_bytes()
    assert _texts(tmp_path / "n.log") == ["caf\ufffd \ufffd"]


def test_a_very_long_line_is_cut_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "n.log")
    text = b"x" * (2 * LONGEST_LINE + 10)
    log.feed(text[:100])
    log.feed(text[100:])
    log.feed(b"\n" + text + b"\n")
    log.close()
    lines = _texts(tmp_path / "n.log")
    assert [len(line) for line in lines] == [LONGEST_LINE, LONGEST_LINE, 10] * 2


@given(pieces=st.lists(st.binary(max_size=50), max_size=20))
def test_whatever_is_fed_in_whatever_pieces_comes_back(pieces: list[bytes]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "n.log"
        log = LogWriter(path)
        for piece in pieces:
            log.feed(piece)
        log.close()
        *lines, last = b"".join(pieces).split(b"\n")
        expected = lines + ([last] if last else [])
        assert _texts(path) == [line.decode(errors="replace").rstrip("\r") for line in expected]


def test_a_full_log_is_rotated_once_and_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "n.log"
    log = LogWriter(path, max_bytes=1000)
    for number in range(50):
        log.feed(f"line {number}\n".encode())
    assert path.stat().st_size <= 1000
    numbers = [int(text.split()[1]) for text in _texts(path)]
    assert numbers == list(range(numbers[0], 50))
    assert len(numbers) > 25
    assert log.tail(40) == [f"line {number}" for number in numbers][-40:]
    log.close()


def test_lines_since_a_moment_are_those(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "n.log")
    log.feed(b"one\n")
    moment = next(read(tmp_path / "n.log")).time + timedelta(microseconds=1)
    while datetime.now(UTC) < moment:
        pass
    log.feed(b"two\n")
    log.close()
    assert [line.text for line in read(tmp_path / "n.log", since=moment)] == ["two"]


def test_the_tail_of_a_long_log_is_its_end(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "n.log")
    log.feed(b"".join(b"line %d\n" % number for number in range(10_000)))
    log.close()
    assert [line.text for line in tail(tmp_path / "n.log", 3)] == ["line 9997", "line 9998", "line 9999"]
    assert len(tail(tmp_path / "n.log", 9_000)) == 9_000
    assert tail(tmp_path / "missing.log", 3) == []


def test_a_full_disk_loses_lines_but_raises_nothing() -> None:
    log = LogWriter(Path("/dev/full"))
    log.feed(b"one\ntwo\n")
    assert log.problem is not None
    assert "No space left" in log.problem
    assert log.lost > 0
    assert log.tail(5) == ["one", "two", f"its log is not complete: {log.problem}"]
    log.close()


def test_a_log_that_cannot_be_opened_raises_nothing(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "missing" / "n.log")
    log.feed(b"one\n")
    assert log.problem is not None
    (tmp_path / "missing").mkdir()
    log.feed(b"two\n")
    log.close()
    assert _texts(tmp_path / "missing" / "n.log") == ["two"]


def test_a_follower_sees_what_is_new_also_across_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "n.log"
    early = LogFollower(path)
    assert early.new_lines() == []
    log = LogWriter(path, max_bytes=400)
    log.feed(b"one\ntw")
    late = LogFollower(path)
    assert [line.text for line in early.new_lines()] == ["one"]
    log.feed(b"o\n")
    assert [line.text for line in early.new_lines()] == ["two"]
    assert [line.text for line in late.new_lines()] == ["two"]
    seen: list[str] = []
    for number in range(30):
        log.feed(f"line {number}\n".encode())
        seen += [line.text for line in early.new_lines()]
    assert seen == [f"line {number}" for number in range(30)]
    log.close()
    early.close()
    late.close()


def test_a_flushed_beginning_is_in_the_file_and_its_rest_follows_it(tmp_path: Path) -> None:
    path = tmp_path / "n.log"
    log = LogWriter(path)
    follower = LogFollower(path)
    log.feed(b"one\ntw")
    log.flush()
    assert _texts(path) == ["one", "tw"]
    log.feed(b"o an")
    assert log.tail(2) == ["one", "two an"]
    log.flush()
    log.flush()
    assert _texts(path) == ["one", "two an"]
    log.feed(b"d more\r\nthree\n")
    assert _texts(path) == ["one", "two and more", "three"]
    assert [line.text for line in follower.new_lines()] == ["one", "two and more", "three"]
    log.close()
    follower.close()


def test_a_flushed_beginning_gets_its_end_when_the_log_is_closed(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "n.log")
    log.feed(b"one")
    log.flush()
    log.close()
    again = LogWriter(tmp_path / "n.log")
    again.feed(b"two\n")
    again.close()
    assert _texts(tmp_path / "n.log") == ["one", "two"]


def test_a_line_is_not_torn_apart_by_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "n.log"
    log = LogWriter(path, max_bytes=100)
    log.feed(b"x" * 60)
    log.flush()
    log.feed(b"y" * 60 + b"\nnext\n")
    assert _texts(path) == ["x" * 60 + "y" * 60, "next"]
    log.close()


def test_what_is_unread_in_a_pipe_is_counted() -> None:
    reading, writing = os.pipe()
    assert unread(reading) == 0
    os.write(writing, b"12345")
    assert unread(reading) == 5
    os.close(writing)
    assert unread(reading) == 5
    os.close(reading)
