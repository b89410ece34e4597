"""A stretch of time out of a log, found without reading the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlib.evidence.excerpts import excerpt
from clusterlib.evidence.story import stamp
from tests.unit.evidence.stage import START


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "node1.log"
    path.write_text("".join(f"{stamp(START + n / 10)} line {n}\n" for n in range(1000)))
    return path


def test_lines_between_two_moments_are_found_both_included(log: Path) -> None:
    found = excerpt(log, "node1", START + 1.0, START + 1.2, 10)

    assert [line.text for line in found.lines] == ["line 10", "line 11", "line 12"]
    assert found.left_out == 0


def test_of_many_the_last_are_kept_and_the_others_counted(log: Path) -> None:
    found = excerpt(log, "node1", START, START + 99.9, 3)

    assert [line.text for line in found.lines] == ["line 997", "line 998", "line 999"]
    assert found.left_out == 997


@given(
    times=st.lists(st.integers(0, 50), max_size=30).map(sorted),
    begin=st.integers(-2, 55),
    length=st.integers(0, 60),
    most=st.integers(1, 40),
)
def test_it_finds_what_a_reader_of_every_line_would(
    tmp_path_factory: pytest.TempPathFactory, times: list[int], begin: int, length: int, most: int
) -> None:
    path = tmp_path_factory.mktemp("logs") / "node1.log"
    path.write_text("".join(f"{stamp(START + time)} {number}\n" for number, time in enumerate(times)))
    expected = [str(number) for number, time in enumerate(times) if begin <= time <= begin + length]

    found = excerpt(path, "node1", START + begin, START + begin + length, most)

    assert [line.text for line in found.lines] == expected[-most:]
    assert found.left_out == max(0, len(expected) - most)


def test_a_log_that_is_missing_empty_or_no_log_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "empty.log").touch()
    (tmp_path / "other.log").write_bytes(b"\xff\xfe no log at all\nreally\n")

    for name in ("missing", "empty", "other"):
        assert excerpt(tmp_path / f"{name}.log", "n", START, START + 5, 5).lines == ()


def test_a_very_long_line_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "node1.log"
    path.write_text(f"{stamp(START)} {'x' * 60_000}\n")

    (line,) = excerpt(path, "node1", START, START, 5).lines

    assert len(line.text) < 3000
