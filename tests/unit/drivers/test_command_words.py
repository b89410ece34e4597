"""What is said of a question that has no good answer: in the words of the profile, filled in."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clusterlib.client.planning import make_plan
from clusterlib.client.start import up
from clusterlib.drivers.command.asking import ask
from clusterlib.drivers.command.settings import Question, Server
from clusterlib.errors import ApplicationFailed
from clusterlib.health.probes import Never, NotYet
from clusterlib.profiles import load_profile

VALUES: dict[str, Any] = {"node": {"name": "n1", "address": "127.0.0.1", "ports": {}}, "count": 3}


class Failed:
    clean = False

    def __str__(self) -> str:
        return "exited with code 4"


async def fails(words: object) -> Any:
    return SimpleNamespace(exit=Failed(), output="no quorum")


@pytest.mark.parametrize(
    ("means", "told"),
    [
        (
            "it knows all {{ count }} nodes",
            "check does not say that it knows all 3 nodes: it exited with code 4: 'no quorum'",
        ),
        ("", "check exited with code 4: 'no quorum'"),
    ],
)
def test_what_a_good_answer_means_is_told_where_a_command_fails(means: str, told: str) -> None:
    answer = asyncio.run(ask(Question(command=("check",), means=means), VALUES, fails))

    assert isinstance(answer, NotYet)
    assert answer.why == told


def test_a_wrong_expression_is_shown_as_it_was_filled_in() -> None:
    answer = asyncio.run(ask(Question(command=("check",), answer="({{ node.name }}"), VALUES, fails))

    assert isinstance(answer, Never)
    assert answer.why.startswith("'(n1' is no regular expression: ")


def test_a_program_without_the_right_to_be_executed_is_not_called_missing(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/mine.toml").write_text(
        'driver = "command"\n[ports]\nclient = "14000-14999"\n[command]\nprogram = "bin/server"\n'
    )
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/server").write_text("#!/bin/sh\nexec sleep 60\n")

    with pytest.raises(ApplicationFailed) as told:  # it is not missing, so its tests are not skipped
        up("mine", project=tmp_path)

    assert told.value.problem == "profile mine needs bin/server, which may not be executed"
    assert told.value.remedies == (f"chmod +x {tmp_path}/bin/server",)


def test_what_a_profile_says_of_readiness_holds_also_where_only_the_ports_are_asked(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "box.toml").write_text(
        'driver = "command"\n[command]\nprogram = "sleep"\n[ports]\nclient = "29000-29099"\n'
        "[ready]\nowned = false\ninterval = 0.5\nlimit = 2.0\n"
    )
    plan = make_plan(load_profile("box", project=tmp_path), name="default", project=tmp_path)

    ready = plan.roles[0].settings.unpack(Server).answers

    assert ready.ports == ("client",)
    assert (ready.owned, ready.interval, ready.limit) == (False, 0.5, 2.0)


HEALTH = "http://{{ node.address }}:{{ node.ports.admin }}/health"


def values_for(port: int) -> dict[str, Any]:
    return {**VALUES, "node": {**VALUES["node"], "ports": {"admin": port}}}


async def answers(question: Question, reply: bytes | None) -> tuple[int, Any]:
    """What is said of a server that replies so, or that never replies; and its port."""

    opened = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        if reply is not None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        answer = await ask(question, values_for(port), fails)
        for writer in opened:
            writer.close()
            await writer.wait_closed()
    return port, answer


def test_a_url_on_which_nothing_listens_is_shown_filled_in() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        answer = asyncio.run(ask(Question(http=HEALTH), values_for(port), fails))

    assert answer == NotYet(f"nothing listens on 127.0.0.1:{port} yet (http://127.0.0.1:{port}/health)")


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        (Question(http=HEALTH), "http://127.0.0.1:{port}/health"),
        (Question(send="PING", answer="PONG"), "127.0.0.1:{port}"),
    ],
)
def test_a_question_that_hangs_says_what_was_asked_and_what_the_answer_means(
    question: Question, asked: str
) -> None:
    question = replace(question, limit=0.05, means="it knows all {{ count }} nodes")

    port, answer = asyncio.run(answers(question, None))

    expected = f"{asked.format(port=port)} does not answer within 0.05 s, so it does not say that it knows all 3 nodes"
    assert answer == NotYet(expected)


def test_another_status_is_told_with_what_a_good_answer_means() -> None:
    question = Question(http=HEALTH, means="it has a leader")

    port, answer = asyncio.run(answers(question, b"HTTP/1.0 503 no\r\n\r\nelecting"))

    expected = f"http://127.0.0.1:{port}/health does not say that it has a leader: it answers 503, not 200: 'electing'"
    assert answer == NotYet(expected)
