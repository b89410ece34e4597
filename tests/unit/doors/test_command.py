from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.program import Program
from invoke.tasks import Task

from clusterlib.doors.commands.command import Command, commands
from clusterlib.doors.tasks import ClusterTask, remainder
from clusterlib.doors.typed import TypedLine, bare_words
from clusterlib.errors import ClusterNotRunning
from clusterlib.frozen import frozen
from clusterlib.invoke import namespace
from clusterlib.operations.declaring import Operation, operation
from clusterlib.operations.listing import JSON, listing_of
from clusterlib.operations.parameters import Count, NodeName, Timeout
from clusterlib.operations.result import Result


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cluster.logs", False),
        ("cluster.logs node2", True),
        ("cluster.logs --follow", False),
        ("cluster.logs --follow node2", True),
        ("cluster.logs --lines 5", False),
        ("cluster.logs --lines 5 node2", True),
        ("cluster.logs --lines=5 node2", True),
        ("cluster.logs cluster.status", False),
        ("cluster.status cluster.logs node2", True),
        ("cluster.logs -- node2", False),
        ("cluster.status", False),
        ("ours.logs node1", True),
    ],
)
def test_a_bare_word_after_a_task_is_seen(monkeypatch: pytest.MonkeyPatch, line: str, expected: bool) -> None:
    monkeypatch.setattr(sys, "argv", ["invoke", *line.split()])

    assert bool(bare_words(command_called("cluster.logs"))) == expected


@frozen
class Tried(Result):
    node: str
    count: int
    timeout: float | None

    @property
    def exit_status(self) -> int:
        return 7 if self.node == "failing" else 0


@operation(effect="read", group="ours", name="try")
def attempt_(node: NodeName, count: Count, *, timeout: Timeout | None = None) -> Tried:
    """Try something."""
    if node == "missing":
        raise ClusterNotRunning("there is none")
    if node == "interrupted":
        raise KeyboardInterrupt
    return Tried(node, count, timeout)


@operation(effect="read", group="ours")
def broken() -> None:
    """Break."""
    raise RuntimeError("ours")


def command_called(name: str) -> Command:
    return next(one for one in commands() if one.full_name == name)


def task_of(declared: Operation[Any]) -> ClusterTask:
    return ClusterTask(Command(listing_of(declared, __name__, 1)))


def code_of(**given: object) -> int:
    try:
        task_of(attempt_)(Context(), **given)
    except Exit as end:
        return end.code
    return 0


@pytest.mark.parametrize(
    ("node", "code"), [("fine", 0), ("failing", 7), ("missing", 3), ("interrupted", 130)]
)
def test_what_happens_becomes_the_exit_code(node: str, code: int) -> None:
    assert code_of(node=node, count="1") == code


def test_options_arrive_with_their_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(node="fine", count="3", timeout="1.5", json=True) == 0

    assert json.loads(capsys.readouterr().out) == {"node": "fine", "count": 3, "timeout": 1.5}


@pytest.mark.parametrize("count", ["none", "0", "-1", "1.5", "", "1e99"])
def test_a_number_that_is_none_is_bad_input(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(node="fine", count=count) == 2
    assert "COUNT" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("cluster.scale x", "COUNT"),
        ("cluster.scale --count x", "--count"),
        ("cluster.scale --count=x", "--count"),
    ],
)
def test_a_word_that_is_wrong_is_called_as_it_was_given(
    line: str, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["invoke", *line.split()])
    with pytest.raises(Exit):
        ClusterTask(command_called("cluster.scale"))(Context(), count="x")

    assert f'error: {name}: must be a whole number, not "x"' in capsys.readouterr().err


def test_a_word_that_is_needed_and_not_there_is_bad_input() -> None:
    assert code_of(count="1") == 2


@pytest.mark.parametrize(("task", "word"), [("cluster.scale", "COUNT"), ("cluster.kill", "NODE")])
def test_a_missing_word_is_named_with_the_call_that_has_it(
    task: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Exit) as caught:
        ClusterTask(command_called(task))(Context())

    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines() == [
        f"error: {word} is missing [usage]",
        f"  try: invoke {task} {word}",
        f"  try: invoke {task} --help",
    ]


def test_an_error_with_json_is_a_document_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(node="missing", count="1", json=True) == 3

    printed = capsys.readouterr()
    assert json.loads(printed.out)["error"]["code"] == "not-running"
    assert printed.err == ""


def test_a_programming_mistake_is_not_hidden() -> None:
    with pytest.raises(RuntimeError, match="ours"):
        task_of(broken)(Context())


def test_an_unknown_option_is_bad_input() -> None:
    with pytest.raises(Exit) as caught:
        task_of(attempt_)(Context(), node="fine", count="1", colour="red")

    assert caught.value.code == 2


def after_dashes(joined: str | None) -> Context:
    """The context of a task, as Invoke 3 gives it; with None as Invoke 2 does."""
    context = Context()
    object.__setattr__(context, "remainder", joined)
    return context


def test_words_after_two_dashes_keep_their_borders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["invoke", "cluster.run", "--", "echo", "a b", "$c"])

    assert remainder(after_dashes("echo a b $c")) == ["echo", "a b", "$c"]
    assert remainder(after_dashes("another line")) == ["another", "line"]
    assert remainder(after_dashes("")) == []
    assert remainder(after_dashes(None)) == ["echo", "a b", "$c"]


def test_every_task_has_help_for_all_it_takes_and_answers_in_json() -> None:
    tasks = [task for name in namespace.task_names for task in [namespace[name]]]
    assert len(tasks) >= 19

    for task in tasks:
        assert isinstance(task, ClusterTask)
        assert task.__doc__
        assert all(option.explained.endswith(".") for option in task.command.options)
        assert JSON in task.command.options


def test_a_users_tasks_file_needs_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tasks.py").write_text("from clusterlib.invoke import namespace\n")

    Program().run(["invoke", "--search-root", str(tmp_path), "--list"], exit=False)

    assert "cluster.up" in capsys.readouterr().out


def test_every_mistake_of_a_command_is_named_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(node="", count="many", timeout="0") == 2

    assert capsys.readouterr().err.splitlines() == [
        "error: 3 values cannot be used [usage]",
        '  | NODE: "" is empty; write a word',
        '  | COUNT: must be a whole number, not "many"; write a number without a fraction, for example 3',
        "  | --timeout: 0.0 is out of bounds; write more than 0",
    ]


def greeting(_: Context, who: str, times: int = 1, loud: bool = False) -> None:
    """A task of a project."""


OF_INVOKE = {"--help": False, "-h": False, "--dry": False, "--echo": False, "--hide": True}


def mistakes_in(line: str) -> list[tuple[str, list[str]]]:
    """In a project with our tasks, and one of its own."""
    words, _, rest = line.partition(" -- ")
    tasks = {one.full_name: one for one in commands()}
    typed = TypedLine(words.split(), {**tasks, "greet": Task(greeting, "greet")}, OF_INVOKE, rest.split())
    return [(one.problem, list(one.remedies)) for one in typed.mistakes]


@pytest.mark.parametrize(
    ("line", "problem", "remedy"),
    [
        (
            "cluster.up 3",
            "invoke cluster.up does not know what to do with '3'",
            "invoke cluster.up --nodes 3",
        ),
        ("cluster.up --node 3", "invoke cluster.up has no option --node", "invoke cluster.up --nodes 3"),
        ("cluster.up --node=3", "invoke cluster.up has no option --node", "invoke cluster.up --nodes 3"),
        (
            "cluster.kill node1 node2",
            "invoke cluster.kill does not know what to do with 'node2'",
            "invoke cluster.kill node1 && invoke cluster.kill node2",
        ),
        ("cluster.upp", "there is no task 'cluster.upp'", "invoke cluster.up"),
        ("clutser.up --nodes 3", "there is no task 'clutser.up'", "invoke cluster.up"),
        ("upp", "there is no task 'upp'", "invoke cluster.up"),
        ("cluster.frobnicate", "there is no task 'cluster.frobnicate'", "invoke --list cluster"),
        ("cluster.up cluster.statsu", "there is no task 'cluster.statsu'", "invoke cluster.status"),
        (
            "greet bob cluster.up 3",
            "invoke cluster.up does not know what to do with '3'",
            "invoke cluster.up --nodes 3",
        ),
        (
            "cluster.up --dry 3",
            "invoke cluster.up does not know what to do with '3'",
            "invoke cluster.up --nodes 3",
        ),
        ("cluster.up --nodes", "--nodes needs a value", "invoke --help cluster.up"),
        ("cluster.run --nodes --simulate", "--nodes needs a value", "invoke --help cluster.run"),
        ("cluster.scale -15", "invoke cluster.scale has no option -15", "invoke cluster.scale --count -15"),
        (
            "cluster.status -- x",
            "invoke cluster.status takes nothing after --",
            "invoke --help cluster.status",
        ),
    ],
)
def test_words_for_invoke_that_make_no_sense_are_refused_with_what_would(
    line: str, problem: str, remedy: str
) -> None:
    [(said, remedies)] = mistakes_in(line)

    assert said == problem
    assert remedies[0] == remedy


@pytest.mark.parametrize(
    "line",
    [
        "cluster.up --nodes 3 --simulate",
        "cluster.up -n3 -p dev --json",
        "cluster.up -p=dev cluster.kill node1 cluster.status",
        "cluster.scale --count -15",
        "cluster.up --hide out --echo --name shop",
        "cluster.run -vt 5 -- pytest -k x",
        "cluster.status cluster.run -- true",
        "cluster.up greet bob --times 3",
        "greet cluster.up",
        "greet --times cluster.up bob",
        "greet bob 3",
        "gret bob",
        "frobnicate",
        "cluster.up 3 --help",
        "cluster.status greet bob -- x",
    ],
)
def test_words_that_are_right_or_not_said_to_our_tasks_are_left_to_invoke(line: str) -> None:
    assert mistakes_in(line) == []


def test_a_missing_word_is_named_with_all_other_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(count="many", timeout="0") == 2

    assert capsys.readouterr().err.splitlines() == [
        "error: 3 values cannot be used [usage]",
        "  | NODE is missing",
        '  | COUNT: must be a whole number, not "many"; write a number without a fraction, for example 3',
        "  | --timeout: 0.0 is out of bounds; write more than 0",
        "  try: invoke ours.try NODE",
        "  try: invoke ours.try --help",
    ]


def test_a_wrong_name_of_the_cluster_is_named_with_all_other_mistakes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(Exit):
        ClusterTask(command_called("cluster.scale"))(Context(), name="", count="x")

    said = capsys.readouterr().err
    assert "--name" in said
    assert "COUNT" in said


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_what_is_no_number_is_no_time(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(node="fine", count="1", timeout=number) == 2
    assert "--timeout" in capsys.readouterr().err


@operation(effect="read", group="ours")
def measure() -> dict[str, list[float]]:
    """Measure nothing."""
    return {"means": [1.5, float("nan"), float("inf")]}


def test_numbers_that_json_does_not_have_become_null(capsys: pytest.CaptureFixture[str]) -> None:
    task_of(measure)(Context(), json=True)

    printed = capsys.readouterr().out
    assert json.loads(printed, parse_constant=pytest.fail) == {"means": [1.5, None, None]}
