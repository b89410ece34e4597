from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from clusterlib.doors.paint import Paint
from clusterlib.doors.program.wording import ProgramWording
from clusterlib.doors.progress import LinesProgress, LiveProgress, SilentProgress
from clusterlib.doors.wording import Wording
from clusterlib.errors import ClusterNotRunning
from clusterlib.messages.event import Event, now
from clusterlib.messages.events import ClusterStarting
from clusterlib.remedies import do

Make = Callable[..., Any]
ERROR = ClusterNotRunning(
    "cluster 'default' is not running",
    cause="it was stopped",
    evidence=["line one\nline two"],
    remedies=[do("cluster.up")],
)


@pytest.mark.parametrize(
    ("terminal", "environment", "colours"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (False, {"FORCE_COLOR": "1"}, True),
        (True, {"FORCE_COLOR": "0"}, False),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (True, {"TERM": ""}, False),
    ],
)
def test_colours_are_for_eyes_that_want_them(
    seen: Make, terminal: bool, environment: dict[str, str], colours: bool
) -> None:
    assert seen(terminal=terminal, **environment).console.paint.colours is colours


def test_without_colours_a_text_is_left_as_it_is() -> None:
    assert Paint(False)("ready", "green") == "ready"
    assert Paint(True)("ready", "green") == "\x1b[32mready\x1b[0m"
    assert Paint(True).state("never heard of") == "never heard of"


def test_progress_is_redrawn_only_on_a_terminal_outside_of_ci(seen: Make) -> None:
    assert isinstance(seen(terminal=True).console.progress(), LiveProgress)
    assert isinstance(seen(terminal=True, CI="true").console.progress(), LinesProgress)
    assert isinstance(seen(terminal=True, TERM="dumb").console.progress(), LinesProgress)
    assert isinstance(seen(terminal=True, TERM="").console.progress(), LinesProgress)
    assert isinstance(seen().console.progress(), LinesProgress)
    assert isinstance(seen(terminal=True, json=True).console.progress(), SilentProgress)


def test_an_answer_is_text_on_stdout(seen: Make) -> None:
    it = seen()

    it.console.answer({"state": "ready"}, lambda: it.console.line("all well"))

    assert it.out.getvalue() == "all well\n"


def test_with_json_stdout_holds_one_document_and_stderr_nothing(seen: Make) -> None:
    it = seen(json=True)

    it.console.progress()(Event(1, now(), ClusterStarting("default", "dev", 2)))
    it.console.say("on the way")
    it.console.note("by the way")
    it.console.answer({"state": "ready"}, lambda: pytest.fail("text was asked for"))

    assert json.loads(it.out.getvalue()) == {"state": "ready"}
    assert it.err.getvalue() == ""


def test_an_error_shows_problem_cause_evidence_and_remedies_on_stderr(seen: Make) -> None:
    it = seen()

    it.console.error(ERROR)

    assert it.out.getvalue() == ""
    assert it.err.getvalue().splitlines() == [
        "error: cluster 'default' is not running [not-running]",
        "  cause: it was stopped",
        "  | line one",
        "  | line two",
        "  try: invoke cluster.up",
    ]


def test_with_json_an_error_is_the_document(seen: Make) -> None:
    it = seen(json=True)

    it.console.error(ERROR)

    assert json.loads(it.out.getvalue()) == json.loads(json.dumps({"error": ERROR.to_dict()}))
    assert it.err.getvalue() == ""


@pytest.mark.parametrize(
    ("wording", "called"), [(None, "invoke cluster."), (ProgramWording(), "clusterlib ")]
)
def test_remedies_and_notes_in_an_answer_are_worded_for_the_door(
    seen: Make, wording: Wording | None, called: str
) -> None:
    document = {
        "remedies": [do("cluster.up"), "cluster.up is a text"],
        "deeper": [{"notes": ("node3 is dead: " + do("cluster.start", "node3"),)}],
    }
    it, people = seen(json=True, wording=wording), seen(wording=wording)

    it.console.answer(document, lambda: None)
    people.console.note("stale; " + do("cluster.sync") + " renews it")

    assert json.loads(it.out.getvalue()) == {
        "remedies": [f"{called}up", "cluster.up is a text"],
        "deeper": [{"notes": [f"node3 is dead: {called}start node3"]}],
    }
    assert people.err.getvalue() == f"note: stale; {called}sync renews it\n"


def test_an_interruption_is_told_in_the_same_two_ways(seen: Make) -> None:
    plain, machine = seen(), seen(json=True)

    plain.console.interrupted()
    machine.console.interrupted()

    assert plain.err.getvalue() == "interrupted\n"
    assert json.loads(machine.out.getvalue())["error"]["code"] == "interrupted"


def test_a_table_in_a_pipe_is_never_cut(seen: Make) -> None:
    it = seen()

    it.console.table(["node", "state"], [["node1", ("ready", "green")], ["n" * 300, "dead"]])

    lines = it.out.getvalue().splitlines()
    assert lines[0].split() == ["node", "state"]
    assert lines[1].split() == ["node1", "ready"]
    assert "n" * 300 in lines[2]
    assert "\x1b" not in it.out.getvalue()


def test_a_table_in_colour_colours_its_cells(seen: Make) -> None:
    it = seen(FORCE_COLOR="1")

    it.console.table(["node"], [[("ready", "green")]])

    assert "\x1b[32mready" in it.out.getvalue()


def test_brackets_in_a_cell_are_text_and_no_markup(seen: Make) -> None:
    it = seen()

    it.console.table(["value"], [["[red]tests/[a]"]])

    assert "[red]tests/[a]" in it.out.getvalue()


def test_letters_that_the_terminal_lacks_become_question_marks() -> None:
    from clusterlib.doors.console import Console

    raw = io.BytesIO()
    console = Console(out=io.TextIOWrapper(raw, encoding="ascii"), err=io.StringIO(), environment={})

    console.line("Grüße")

    assert raw.getvalue() == b"Gr??e\n"
