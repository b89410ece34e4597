from __future__ import annotations

from clusterlib.doors.prompt import Statements


def entered(*lines: str) -> list[str | None]:
    statements = Statements()
    return [statements.add(line) for line in lines]


def test_a_line_that_is_whole_is_a_statement() -> None:
    assert entered("1 + 1") == ["1 + 1"]
    assert entered("x = 1; y = 2") == ["x = 1; y = 2"]


def test_a_block_goes_on_until_an_empty_line() -> None:
    assert entered("def f():", "    return 1", "") == [None, None, "def f():\n    return 1\n"]


def test_an_open_bracket_goes_on_until_it_is_closed() -> None:
    assert entered("[1,", "2]") == [None, "[1,\n2]"]


def test_nonsense_is_passed_on_for_the_node_to_explain() -> None:
    assert entered("1 +* 2", "3") == ["1 +* 2", "3"]


def test_what_is_left_at_the_end_of_the_input_is_a_statement_too() -> None:
    statements = Statements()

    assert statements.add("if True:") is None
    assert statements.add("    x = 1") is None
    assert statements.rest() == "if True:\n    x = 1"
    assert statements.rest() is None


def test_the_prompt_knows_whether_a_statement_is_open() -> None:
    statements = Statements()
    assert statements.open is False

    statements.add("if True:")

    assert statements.open
