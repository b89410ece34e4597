"""Driver `command`: what goes wrong says so, and leaves nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterlib import errors
from clusterlib.messages.events import NodeMoved
from clusterlib.messages.findings import CheckOutcome
from clusterlib.operations.doctor import examine_machine
from clusterlib.rundir.event_files import read_events
from clusterlib.rundir.folders import latest_run
from tests.functional.command.boxes import arguments, nothing_is_left
from tests.functional.conftest import Up


def test_a_missing_program_says_which_package_brings_it(up: Up, write: Callable[..., None]) -> None:
    write('\n[requires]\nno-such-server = "debian no-such-package"\n')

    with pytest.raises(errors.ProgramMissing, match="no-such-server") as caught:
        up("box")

    assert caught.value.remedies == ("sudo apt-get install no-such-package",)


def test_a_bad_argument_is_told_in_the_words_of_the_program(
    up: Up, write: Callable[..., None], project: Path
) -> None:
    write(arguments=arguments("bad"))

    with pytest.raises(errors.NodeExited) as caught:
        up("box")

    assert "unknown argument: bad" in caught.value.evidence
    assert nothing_is_left(project)


def test_a_program_that_goes_into_the_background_is_shown_how_to_stay(
    up: Up, write: Callable[..., None], project: Path
) -> None:
    write(arguments=arguments("daemon"))

    with pytest.raises(errors.ApplicationFailed) as caught:
        up("box")

    assert re.fullmatch(
        r"the process exited with code 0 and left python\S* running", caught.value.cause or ""
    )
    assert "stay in the foreground" in caught.value.remedies[0]
    assert nothing_is_left(project)


def test_a_line_that_tells_of_a_crash_ends_the_start_at_once(up: Up, write: Callable[..., None]) -> None:
    """Without it, the start would end at its time-out, with another error."""
    write(arguments=arguments("crashes"))

    with pytest.raises(errors.NodeExited) as caught:
        up("box")

    assert caught.value.cause == "PANIC: the index is broken"


def test_a_node_that_does_not_hear_its_stop_signal_while_it_starts_is_soon_asked_again(
    up: Up, write: Callable[..., None], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the time that a node has for its end, the start would take ten minutes."""
    write(arguments=arguments("deaf"))
    monkeypatch.setenv("CLUSTERLIB_TIMEOUTS_STOP", "600")

    with pytest.raises(errors.NodeExited) as caught:
        up("box")

    assert caught.value.cause == "PANIC: the index is broken"
    run = latest_run(project, "default")
    assert run is not None
    ends = {event.what.exit for event in read_events(run.events) if isinstance(event.what, NodeMoved)}
    assert "killed by SIGTERM" in ends, "the one that had said PANIC was deaf by then"
    assert "killed by SIGKILL" not in ends
    assert nothing_is_left(project)


def test_a_form_command_that_fails_is_told_with_what_it_said(
    up: Up, write: Callable[..., None], project: Path
) -> None:
    write('\n[form]\ncommand = ["sh", "-c", "echo no quorum for {{ seed.name }}; exit 3"]\n')

    with pytest.raises(errors.CommandFailed) as caught:
        up("box")

    assert "exited with code 3" in (caught.value.cause or "")
    assert caught.value.evidence == ("no quorum for box1",)
    assert "invoke profile.show box --resolved" in caught.value.remedies
    assert nothing_is_left(project)


def test_a_form_command_that_hangs_is_told_with_what_it_said_last(
    up: Up, write: Callable[..., None], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write('\n[form]\ncommand = ["sh", "-c", "echo waiting for votes; sleep 599"]\n', start="1.5")
    monkeypatch.setenv("CLUSTERLIB_TIMEOUTS_START", "1.5")

    with pytest.raises(errors.NodeNotReady) as caught:
        up("box")

    assert "being formed by sh, which last said 'waiting for votes'" in (caught.value.cause or "")
    assert nothing_is_left(project)


def test_a_node_that_dies_while_it_is_asked_is_noticed_at_once(up: Up, write: Callable[..., None]) -> None:
    """The question hangs, and the answer to it would never come: the exit is news enough."""
    kill = "python3 -c \\\"import socket; socket.create_connection(('127.0.0.1', {{ node.ports.client }})).sendall(b'DIE')\\\""
    write(f'\n[formed]\ncommand = ["sh", "-c", "{kill}; sleep 599"]\nlimit = 600.0\n')

    with pytest.raises(errors.NodeExited, match="ended before it was ready"):
        up("box")


def test_a_node_that_does_not_answer_says_what_it_was_asked(
    up: Up, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(answer='"^READY"')
    monkeypatch.setenv("CLUSTERLIB_TIMEOUTS_START", "1")

    with pytest.raises(errors.NodeNotReady) as caught:
        up("box")

    assert "says 'PONG', which does not hold '^READY'" in (caught.value.cause or "")
    assert "export CLUSTERLIB_TIMEOUTS_START=60" in caught.value.remedies


def test_a_question_that_hangs_until_the_start_is_over_says_what_was_asked(
    up: Up, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        '\n[formed]\ncommand = ["sleep", "599"]\nlimit = 600.0\nmeans = "{{ node.name }} has met the others"\n'
    )
    monkeypatch.setenv("CLUSTERLIB_TIMEOUTS_START", "2")

    with pytest.raises(errors.NodeNotReady) as caught:
        up("box")

    told = r"sleep does not answer, so it does not say that box\d has met the others"
    assert re.search(told, caught.value.cause or "")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_server_that_refuses_root_runs_as_somebody_else(up: Up, write: Callable[..., None]) -> None:
    write(stop='"SIGINT"\nuser = "nobody"\nprepare = ["touch", "data/made"]')

    cluster = up("box")

    assert "uid 65534" in cluster["box1"].log()
    made = cluster.run_folder.node("box1") / "data/made"
    assert made.stat().st_uid == 65534


def test_a_user_that_does_not_exist_is_named(up: Up, write: Callable[..., None], project: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    write(stop='"SIGINT"\nuser = "nobody_we_know"')

    with pytest.raises(errors.StartError, match="cannot run as nobody_we_know"):
        up("box")

    told = {one.name: one for one in examine_machine("box", project=project).findings}
    assert told["user nobody_we_know"].outcome is CheckOutcome.FAILED
    assert told["user nobody_we_know"].remedies == ("adduser --system --group nobody_we_know",)


def test_a_server_program_cannot_be_simulated(up: Up, write: Callable[..., None]) -> None:
    write()

    with pytest.raises(errors.ProfileError) as caught:
        up("box", simulate=True)

    assert "cannot be simulated" in str(caught.value)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ('[health]\nsend = "{{ nod.name }}"\n', "health.send: 'nod' is undefined"),
        ('[health]\nhttp = "http://{{ node.adress }}/"\n', 'health.http: there is no "adress" here, only'),
        (
            '[formed]\nsend = "who"\nanswer = "{% for n in alve %}{% endfor %}"\n',
            "formed.answer: 'alve' is undefined",
        ),
    ],
)
def test_a_text_with_an_unknown_name_is_told_at_up_with_its_line(
    up: Up, write: Callable[..., None], project: Path, more: str, told: str
) -> None:
    write(more)
    line = (project / "profiles/box.toml").read_text().count("\n")

    with pytest.raises(errors.TemplateError) as caught:
        up("box")

    assert [f"profiles/box.toml:{line}: {told}" in one for one in caught.value.evidence] == [True]
    assert nothing_is_left(project)


@pytest.mark.parametrize("setting", ["stop_command", "logs"])
def test_a_text_that_is_needed_only_later_is_tried_before_anything_starts(
    up: Up, write: Callable[..., None], setting: str
) -> None:
    write(shell=f'["echo"]\n{setting} = ["x{{{{ nod.name | quote }}}}"]')

    with pytest.raises(errors.TemplateError) as caught:
        up("box")

    assert len(caught.value.evidence) == 1
    assert "profiles/box.toml:" in caught.value.evidence[0]
    assert "'nod' is undefined" in caught.value.evidence[0]


def test_a_template_with_an_unknown_name_is_told_at_up_with_its_own_line(
    up: Up, write: Callable[..., None], project: Path
) -> None:
    (project / "templates").mkdir()
    (project / "templates/a.j2").write_text("first\n{{ nod.name }}\n")
    write('[templates]\n"a.conf" = "a.j2"\n')

    with pytest.raises(errors.TemplateError) as caught:
        up("box")

    assert [one.endswith("templates/a.j2:2") for one in caught.value.evidence] == [True]
