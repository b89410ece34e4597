"""The program `clusterlib`: how it parses words, refuses wrong ones, and completes them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from clusterlib import __version__
from clusterlib.doors.commands.command import Command, commands
from clusterlib.doors.program.completion import candidates
from clusterlib.doors.program.help import overview, usage
from clusterlib.doors.program.main import main
from clusterlib.doors.program.parsing import parse
from clusterlib.doors.program.wording import help_wording, words_of
from clusterlib.errors import UsageError
from clusterlib.rundir.folders import new_run, runs_of

WORDING = help_wording()


@pytest.mark.parametrize(
    ("line", "name", "given", "rest"),
    [
        ("up", "cluster.up", {}, ()),
        ("up --profile ci-small -n 2", "cluster.up", {"profile": "ci-small", "nodes": "2"}, ()),
        (
            "up --profile=ci-small -n2 --simulate",
            "cluster.up",
            {"profile": "ci-small", "nodes": "2", "simulate": True},
            (),
        ),
        ("cluster.up --json", "cluster.up", {"json": True}, ()),
        ("profile show dev --resolved", "profile.show", {"name": "dev", "resolved": True}, ()),
        ("profile.list", "profile.list", {}, ()),
        ("kill node2 --name shop", "cluster.kill", {"node": "node2", "name": "shop"}, ()),
        ("kill --name shop node2", "cluster.kill", {"node": "node2", "name": "shop"}, ()),
        ("logs --since=5m -f node1", "cluster.logs", {"since": "5m", "follow": True, "node": "node1"}, ()),
        ("shell node1 -c 1+1", "cluster.shell", {"node": "node1", "command": "1+1"}, ()),
        ("run -- pytest -k x --json", "cluster.run", {}, ("pytest", "-k", "x", "--json")),
        ("run --timeout 5 --", "cluster.run", {"timeout": "5"}, ()),
        ("test plan -- tests", "test.plan", {}, ("tests",)),
        ("cluster up", "cluster.up", {}, ()),
        ("logs --grep -h --lines 2", "cluster.logs", {"grep": "-h", "lines": "2"}, ()),
        ("logs --grep=--json", "cluster.logs", {"grep": "--json"}, ()),
        ("scale -5", "cluster.scale", {"count": "-5"}, ()),
        ("scale --count -5", "cluster.scale", {"count": "-5"}, ()),
        ("run -vt 5 -- true", "cluster.run", {"verbose": True, "timeout": "5"}, ("true",)),
        ("shell -c -- node1", "cluster.shell", {"command": "--", "node": "node1"}, ()),
    ],
)
def test_words_become_a_command_and_its_options(
    line: str, name: str, given: dict[str, object], rest: Sequence[str]
) -> None:
    call = parse(line.split())

    assert (call.command.full_name, call.given, call.rest) == (name, given, rest)


@pytest.mark.parametrize(
    ("line", "problem", "remedies"),
    [
        ("upp", "there is no command 'upp'", ["clusterlib up", "clusterlib --help"]),
        (
            "cluster.statsu",
            "there is no command 'cluster.statsu'",
            ["clusterlib status", "clusterlib start", "clusterlib stacks", "clusterlib --help"],
        ),
        ("frobnicate", "there is no command 'frobnicate'", ["clusterlib --help"]),
        ("list", "there is no command 'list'", ["clusterlib processes list", "clusterlib --help"]),
        (
            "profile chekc",
            "there is no command 'profile chekc'",
            ["clusterlib profile check", "clusterlib profile --help"],
        ),
        (
            "test",
            "test needs a second word",
            ["clusterlib test plan", "clusterlib test report", "clusterlib test --help"],
        ),
        ("--json up", "--json is no command", ["clusterlib up --json", "clusterlib --help"]),
        ("--faster up", "--faster is no command", ["clusterlib --help"]),
        ("--json upp", "--json is no command", ["clusterlib --help"]),
        ("--json", "--json is no command", ["clusterlib --help"]),
        ("cluster", "cluster needs a second word", ["clusterlib --help"]),
        (
            "down all",
            "clusterlib down does not know what to do with 'all'",
            ["clusterlib down --all", "clusterlib down --help"],
        ),
        (
            "up 3",
            "clusterlib up does not know what to do with '3'",
            ["clusterlib up --nodes 3", "clusterlib up --help"],
        ),
        (
            "up shop",
            "clusterlib up does not know what to do with 'shop'",
            ["clusterlib up --profile shop", "clusterlib up --name shop", "clusterlib up --help"],
        ),
        (
            "up x;rm",
            "clusterlib up does not know what to do with 'x;rm'",
            ["clusterlib up --profile 'x;rm'", "clusterlib up --name 'x;rm'", "clusterlib up --help"],
        ),
        ("up \x1b[31m", "clusterlib up does not know what to do with '\\x1b[31m'", ["clusterlib up --help"]),
        (
            "run pytest",
            "clusterlib run does not know what to do with 'pytest'",
            ["clusterlib run -- pytest", "clusterlib run --help"],
        ),
        (
            "kill node1 node2",
            "clusterlib kill does not know what to do with 'node2'",
            ["clusterlib kill node1 && clusterlib kill node2", "clusterlib kill --help"],
        ),
        (
            "shell node1 f(1)",
            "clusterlib shell does not know what to do with 'f(1)'",
            ["clusterlib shell node1 -c 'f(1)'", "clusterlib shell --help"],
        ),
        (
            "logs --lnes 3",
            "clusterlib logs has no option --lnes",
            [
                "clusterlib logs --lines 3",
                "clusterlib logs --node 3",
                "clusterlib logs --name 3",
                "clusterlib logs --help",
            ],
        ),
        ("up --hlep", "clusterlib up has no option --hlep", ["clusterlib up --help"]),
        ("status -q", "clusterlib status has no option -q", ["clusterlib status --help"]),
        ("up --nodes", "--nodes needs a value", ["clusterlib up --help"]),
        ("up --profile --json", "--profile needs a value", ["clusterlib up --help"]),
        ("up --nodes --profile dev", "--nodes needs a value", ["clusterlib up --help"]),
        ("down --all=yes", "--all takes no value", ["clusterlib down --all", "clusterlib down --help"]),
        ("scale 2 --count 3", "--count is given twice", ["clusterlib scale --help"]),
        (
            "up --node",
            "clusterlib up has no option --node",
            ["clusterlib up --nodes", "clusterlib up --name", "clusterlib up --help"],
        ),
        (
            "up 3 --node 4 --name a --name b",
            "3 mistakes in the command",
            [
                "clusterlib up --nodes 3",
                "clusterlib up --nodes 4",
                "clusterlib up --name 4",
                "clusterlib up --help",
            ],
        ),
        ("status -- x", "clusterlib status takes nothing after --", ["clusterlib status --help"]),
    ],
)
def test_words_that_make_no_sense_are_refused_with_what_would(
    line: str, problem: str, remedies: list[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line.split())

    assert caught.value.problem == problem
    assert list(caught.value.remedies) == remedies


@pytest.mark.parametrize("known", commands(), ids=lambda one: one.full_name)
def test_each_command_is_in_the_overview_and_has_help_that_names_all_it_takes(known: Command) -> None:
    words = " ".join(words_of(known))

    assert f"\n  {words} " in overview(100, WORDING)
    text = usage(known, 100, WORDING)
    assert text.startswith(f"usage: clusterlib {words}")
    assert all(flag in text for option in known.options for flag in option.flags)
    assert re.search(r"\bcluster\.[a-z]", text) is None


@pytest.mark.parametrize("width", [60, 80])
def test_help_is_no_wider_than_the_terminal(width: int) -> None:
    texts = [overview(width, WORDING), *(usage(one, width, WORDING) for one in commands())]

    assert max(len(line) for text in texts for line in text.splitlines()) <= width


@pytest.mark.parametrize(
    ("text", "worded"),
    [
        ("Profile to use (see profile.list).", "Profile to use (see clusterlib profile list)."),
        ("stays until cluster.down; see", "stays until clusterlib down; see"),
        ("the cluster.upper and cluster.up.toml", "the cluster.upper and cluster.up.toml"),
        ("see ours.build", "see ours.build"),
        ("ls -ld /srv/cluster.run", "ls -ld /srv/cluster.run"),
        ("rm -r my-cluster.down", "rm -r my-cluster.down"),
    ],
)
def test_help_is_worded_for_the_program(text: str, worded: str) -> None:
    assert WORDING(text) == worded


@pytest.mark.parametrize(
    ("words", "code", "out", "err"),
    [
        ([], 2, "usage: clusterlib COMMAND", ""),
        (["--help"], 0, "usage: clusterlib COMMAND", ""),
        (["up", "-h"], 0, "usage: clusterlib up [--profile PROFILE]", ""),
        (["help", "up"], 0, "usage: clusterlib up [--profile PROFILE]", ""),
        (["--help", "profile", "show"], 0, "usage: clusterlib profile show [NAME]", ""),
        (["test", "--help"], 0, "usage: clusterlib test COMMAND", ""),
        (["--version"], 0, f"clusterlib {__version__}", ""),
        (["profile", "check", "missing"], 2, 'there is no profile "missing"', ""),
        (["up", "3"], 2, "", "error: clusterlib up does not know what to do with '3'"),
        (["completion", "bash"], 0, "complete -o default -F _clusterlib clusterlib", ""),
        (["completion", "tcsh"], 2, "", "there is no completion for 'tcsh'"),
    ],
)
def test_what_it_prints_and_its_exit_code(
    words: list[str], code: int, out: str, err: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == code

    printed = capsys.readouterr()
    assert out in printed.out
    assert err in printed.err


def test_with_json_a_mistake_is_a_document_with_remedies_of_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["kill", "node1", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["remedies"] == ["clusterlib up"]
    assert main(["kil", "node1", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["remedies"][0] == "clusterlib kill"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a profile of its own, and a cluster that has run."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "shop.toml").write_text("nodes.count = 2\n")
    run = new_run(tmp_path, "front")
    for name in ("web1", "web2"):
        run.log(name).parent.mkdir(exist_ok=True)
        run.log(name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLUSTERLIB_PROJECT", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["sta"], ["stacks", "start", "status"]),
        (["pro"], ["processes", "profile"]),
        (["profile", "s"], ["schema", "show"]),
        (["completion", ""], ["bash", "fish", "zsh"]),
        (["up", "--pro"], ["--profile"]),
        (["up", "--profile", "sh"], ["shop"]),
        (["up", "--profile=sh"], ["--profile=shop"]),
        (["up", "-p", "sh"], ["shop"]),
        (["profile", "show", "sh"], ["shop"]),
        (["down", "--name", ""], ["front"]),
        (["kill", "--name", "front", "w"], ["web1", "web2"]),
        (["kill", "--name=front", "w"], ["web1", "web2"]),
        (["kill", "w"], []),
        (["kill", "--name", "=", "front", "w"], ["web1", "web2"]),
        (["kill", "--name=front", "web1", "w"], []),
        (["up", "--profile", "=", "sh"], ["shop"]),
        (
            ["up", "--profile", "="],
            [
                "beam",
                "ci-large",
                "ci-small",
                "dev",
                "elixir",
                "etcd",
                "nats",
                "postgres",
                "rabbitmq",
                "redis",
                "redis-sentinel",
                "shop",
            ],
        ),
        (["completion", "bash", ""], []),
        (["cluster.kill", "--na"], ["--name"]),
        (["cluster", "sta"], ["stacks", "start", "status"]),
        (["cluster", "kill", "--na"], ["--name"]),
        (["clus"], ["cluster"]),
        (["run", "--", "py"], []),
        (["nonsense", ""], []),
        (["--v"], ["--version"]),
    ],
)
def test_completion_knows_commands_options_profiles_clusters_and_nodes(
    words: list[str], found: list[str]
) -> None:
    assert candidates(words) == found


def test_completion_does_not_offer_nodes_that_have_left_the_cluster(project: Path) -> None:
    (run,) = runs_of(project, "front")
    run.state.write_text(json.dumps({"nodes": [{"name": "web1", "role": "node"}]}))

    assert candidates(["restart", "--name", "front", ""]) == ["web1"]
