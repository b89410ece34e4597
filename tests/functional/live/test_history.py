"""What the live prompt remembers of what was typed."""

from __future__ import annotations

from pathlib import Path

from tests.functional.conftest import Up
from tests.functional.live.prompts import prompt


def test_the_history_is_private_is_shared_and_has_no_secrets(project: Path, operations: Path) -> None:
    (operations / "token.py").write_text(
        "from typing import Annotated\n"
        "from clusterlib.operations import Secret, operation\n"
        "@operation(effect='read', group='shop')\n"
        "def check(*, token: Annotated[str, Secret()]) -> str:\n"
        "    return 'accepted'\n"
    )
    history = project / ".clusterlib" / "live_history"
    history.parent.mkdir()
    with prompt(project) as first, prompt(project) as second:
        first.shows("> ")
        second.shows("> ")
        first.type("profile list\n")
        first.shows("ci-small")
        first.shows("]> ")
        second.type("shop check --token sesame\n")
        second.shows("accepted")
        second.type("operations\n")
        second.shows("cluster.up")
        second.shows("]> ")
        second.type("\x04")
        first.type("\x04")
        assert (first.ends(), second.ends()) == (0, 0)
    assert history.read_text().splitlines() == ["profile list", "operations"]
    assert oct(history.stat().st_mode & 0o777) == "0o600"
    with prompt(project) as third:
        third.shows("> ")
        third.type("\x1b[A")
        third.shows("operations")


def test_a_line_stays_out_of_the_history_if_a_secret_may_be_in_it(project: Path, operations: Path) -> None:
    token = (
        "from typing import Annotated\n"
        "from clusterlib.operations import Secret, operation\n"
        "@operation(effect='read', group='shop')\n"
        "def check(*, token: Annotated[str, Secret()]) -> str:\n"
        "    return 'accepted'\n"
    )
    (operations / "token.py").write_text(token)
    history = project / ".clusterlib" / "live_history"
    history.parent.mkdir()
    kept = ["profile list --jsn", "statsu", "shop check --help", "end"]
    with prompt(project) as terminal:
        terminal.shows("> ")
        for line in (
            "shop check --token sesame --oops",
            "shop chek --token sesame",
            "shop check --token 'sesame",
            "statsu; shop check --token sesame",
            "help shop check --token sesame",
            "shop check --token sesame --help",
            *kept[:-1],
        ):
            terminal.type(f"{line}\n")
            terminal.shows(f"{line}\n")
            terminal.shows("> ")
        (operations / "token.py").write_text(token.replace("return", "retrun"))
        terminal.type("shop check --token sesame\n")
        terminal.shows("sesame\n")
        terminal.shows("> ")
        (operations / "token.py").write_text("import nowhere_at_all\n" + token)
        terminal.type("shop check --token sesame\n")
        terminal.shows("sesame\n")
        terminal.shows("> ")
        terminal.type("end\nexit\n")
        assert terminal.ends() == 0
    assert history.read_text().splitlines() == [*kept, "exit"]


def test_the_prompt_of_a_node_has_a_history_of_its_own(project: Path, up: Up) -> None:
    up("ci-small")
    with prompt(project) as terminal:
        terminal.shows("[ready]> ")
        terminal.type("shell node1\n")
        terminal.shows("node1> ")
        terminal.type("6 * 7\n")
        terminal.shows("42")
        terminal.shows("node1> ")
        terminal.type("\x04")
        terminal.shows("[ready]> ")
        terminal.type("\x1b[A")
        terminal.shows("shell node1")
    assert (project / ".clusterlib" / "shell_history").read_text() == "6 * 7\n"
    assert (project / ".clusterlib" / "live_history").read_text() == "shell node1\n"
