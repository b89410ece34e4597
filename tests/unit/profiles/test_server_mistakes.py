"""Mistakes in the profile of a server program, each with its place and its correction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clusterlib.profiles import Mistake

Found = Callable[..., list[Mistake]]
Write = Callable[[str, str], Path]

SERVER = """\
driver = "command"
[ports]
client = "14000-14999"
[command]
program = "sh"
"""


@pytest.mark.parametrize(
    ("lines", "line", "told"),
    [
        ('[ready]\nsend = "PING"\nhttp = "http://a/"', 7, "asks in 2 ways at once: http, send"),
        ('[ready]\nanswer = "PONG"', 7, "is expected, but nothing is asked"),
        ('[formed]\nports = ["clinet"]', 7, 'there is no port "clinet"; did you mean "client"?'),
        ('[ready]\nsend = "x"\nto = "bus"', 8, 'there is no port "bus"; known here: client'),
        ('[health]\nlog = "ready"', 7, "a line that was printed once says nothing about the present"),
        ('[ready]\nlog = "(unclosed"', 7, "(unclosed"),
        ('[ready]\nhttp = "ftp://a/"', 7, "ftp"),
        ('[command.more]\nx = "1"', 6, "more"),
        ('[derived]\nbus = "clinet + 1"', 7, 'there are no ports "clinet" that it could follow from'),
        ('[derived]\nbus = "client + 60000"', 7, "leads from 14000-14999 to 74000-74999"),
        ('[derived]\nbus = "client times 2"', 7, "client times 2"),
        ("[ready]\ninterval = 50", 7, "50 s is not less than timeouts.start, which is 30 s"),
        ('[formed]\nports = ["client"]\ninterval = 30', 8, "30 s is not less than timeouts.start"),
        ('[derived]\nclient = "client + 1"', 7, "is one of [ports], too"),
    ],
)
def test_each_mistake_has_its_place(mistakes: Found, write: Write, lines: str, line: int, told: str) -> None:
    write("mine", SERVER + lines + "\n")

    found = [str(mistake) for mistake in mistakes("mine")]

    assert len(found) == 1, found
    assert f"mine.toml:{line}" in found[0]
    assert told in found[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SERVER.replace('program = "sh"', ""), "the driver command needs a program"),
        (SERVER.replace('client = "14000-14999"', ""), "its readiness is undefined"),
        ("simulate = true\n" + SERVER, "nodes of driver command cannot be simulated"),
        (SERVER + 'stop = "SIGNOTHING"\n', "SIGNOTHING"),
        (SERVER + 'order = "seed last"\n', "seed last"),
        (SERVER + 'crash = ["[a"]\n', "[a"),
        (SERVER + 'arguments = "-p 1"\n', "list"),
    ],
)
def test_what_makes_no_server_is_told(mistakes: Found, write: Write, text: str, told: str) -> None:
    write("mine", text)

    (found,) = mistakes("mine")

    assert told in str(found)
