from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from clusterlib.drivers.python.shell_session import complete, evaluate, forget

_numbers = count()


@pytest.fixture
def session() -> Iterator[str]:
    name = f"session{next(_numbers)}"
    yield name
    forget(name)


def test_the_value_of_an_expression_comes_back_as_its_repr(session: str) -> None:
    assert evaluate(session, "'a' * 3") == {"value": "'aaa'", "output": "", "traceback": None}


def test_a_statement_and_the_value_none_have_nothing_to_show(session: str) -> None:
    assert evaluate(session, "x = 1")["value"] is None
    assert evaluate(session, "None")["value"] is None


def test_names_survive_from_line_to_line_and_the_last_value_is_underscore(session: str) -> None:
    evaluate(session, "import math\nx = 20")

    assert evaluate(session, "x + math.floor(1.5)")["value"] == "21"
    assert evaluate(session, "_ * 2")["value"] == "42"


def test_sessions_do_not_see_each_other(session: str) -> None:
    evaluate(session, "mine = 1")

    assert "NameError" in str(evaluate("another", "mine")["traceback"])
    forget("another")


def test_a_forgotten_session_begins_anew(session: str) -> None:
    evaluate(session, "mine = 1")
    forget(session)

    assert "NameError" in str(evaluate(session, "mine")["traceback"])


def test_statements_before_the_last_expression_are_run(session: str) -> None:
    assert evaluate(session, "def twice(n):\n    return n * 2\n\ntwice(21)")["value"] == "42"


def test_what_is_printed_comes_back_and_does_not_reach_the_nodes_own_output(
    session: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluate(session, "print('here')\nimport sys\nprint('there', file=sys.stderr)")

    assert found["output"] == "here\nthere\n"
    assert capsys.readouterr() == ("", "")


def test_what_other_threads_print_meanwhile_is_theirs(
    session: str, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate(
        session, "import threading\nother = threading.Thread(target=print, args=('the work of the node',))"
    )

    found = evaluate(session, "other.start()\nother.join()\nprint('mine')")

    assert found["output"] == "mine\n"
    assert capsys.readouterr().out == "the work of the node\n"


def test_an_exception_is_told_from_the_typed_line_on(session: str) -> None:
    evaluate(session, "def fail():\n    raise ValueError('no stock')")

    told = str(evaluate(session, "fail()")["traceback"])

    assert told.startswith("Traceback (most recent call last):")
    assert "raise ValueError('no stock')" in told
    assert "shell_session.py" not in told
    assert told.endswith("ValueError: no stock\n")


def test_a_syntax_error_is_told_without_a_traceback(session: str) -> None:
    told = str(evaluate(session, "1 +")["traceback"])

    assert "SyntaxError" in told
    assert "Traceback" not in told


def test_exit_does_not_end_the_node(session: str) -> None:
    assert "SystemExit: 3" in str(evaluate(session, "raise SystemExit(3)")["traceback"])


def test_names_of_the_session_are_completed(session: str) -> None:
    evaluate(session, "stock_of_apples = 3")

    assert complete(session, "stock_") == ["stock_of_apples"]
    assert "stock_of_apples.real" in complete(session, "stock_of_apples.re")
