"""A line of the live prompt becomes commands, or an error that says what is right."""

from __future__ import annotations

import pytest

from clusterlib.doors.program.live.line import Destination, TypedCommand, begun_words, parse_line
from clusterlib.errors import UsageError


def words(line: str) -> list[tuple[str, ...]]:
    return [one.words for one in parse_line(line)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        ("  # nothing", []),
        ("status", [("status",)]),
        ("status;health ; ;up", [("status",), ("health",), ("up",)]),
        ("kill node1 && kill node2\nup", [("kill", "node1"), ("kill", "node2"), ("up",)]),
        ("logs --grep 'a; b > c | d # e'", [("logs", "--grep", "a; b > c | d # e")]),
        (r'logs --grep "say \"a\" \n"', [("logs", "--grep", 'say "a" \\n')]),
        (r"logs --grep a\ b\;c", [("logs", "--grep", "a b;c")]),
        ("run -- echo ''", [("run", "--", "echo", "")]),
        ("restart node1  # the first", [("restart", "node1")]),
        ("logs --grep a#b", [("logs", "--grep", "a#b")]),
        ("clusterlib kill node1; invoke cluster.up", [("kill", "node1"), ("cluster.up",)]),
    ],
)
def test_words_are_those_of_a_shell(line: str, expected: list[tuple[str, ...]]) -> None:
    assert words(line) == expected


@pytest.mark.parametrize(
    ("line", "destination"),
    [
        ("status > a.json", Destination(file="a.json")),
        ("status>a.json", Destination(file="a.json")),
        ("status >> 'my file'", Destination(file="my file", append=True)),
        ("status | jq '.a > 1' -r", Destination(program=("jq", ".a > 1", "-r"))),
    ],
)
def test_an_answer_can_go_elsewhere(line: str, destination: Destination) -> None:
    assert parse_line(line) == [TypedCommand(("status",), destination)]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("status >", "> needs the name of one file"),
        ("status > a b", "> needs the name of one file"),
        ("status |", "there is no program behind |"),
        ("| jq", "there is no command before |"),
        ("status | jq > a", "there is a > behind |"),
        ("status > a > b", "there is a > behind >"),
        ("status || up", "|| means nothing here"),
        ("run -- sleep 5 &", "& means nothing here"),
        ("shell < file", "< means nothing here"),
        ("logs --grep 'a", "a quote is not closed: '"),
    ],
)
def test_what_makes_no_sense_is_explained(line: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem.replace("|", r"\|")):
        parse_line(line)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", [""]),
        ("re", ["re"]),
        ("restart ", ["restart", ""]),
        ("status; restart no", ["restart", "no"]),
        ("status;", [""]),
        ("invoke cluster.re", ["cluster.re"]),
        ("logs --grep 'a b", ["logs", "--grep", "a b"]),
        ("status > fi", None),
        ("status | j", None),
    ],
)
def test_an_unfinished_line_ends_with_the_word_that_is_typed(line: str, expected: list[str] | None) -> None:
    assert begun_words(line) == expected
