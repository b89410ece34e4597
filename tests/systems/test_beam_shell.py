"""Expressions that are evaluated in an Erlang node: of Erlang, and of Elixir where that runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlib.client.cluster import Cluster
from clusterlib.drivers.beam.terms import Atom, Pid
from clusterlib.errors import NodeUnavailable
from clusterlib.operations.shell import Evaluated, NodeShell, run_own_shell
from clusterlib.waiting import Deadline, poll
from tests.systems.beam_nodes import PATIENCE
from tests.systems.conftest import System
from tests.systems.installed import need


@pytest.fixture
def cluster(system: System) -> Cluster:
    need("erl", "erlang-base")
    return system("beam", nodes=2)


@pytest.fixture
def shell(cluster: Cluster) -> Iterator[NodeShell]:
    with NodeShell("node1", project=cluster.project) as session:
        yield session


@pytest.mark.parametrize(
    ("source", "value", "output"),
    [
        ("lists:sum([40, 2]).", "42", ""),
        ("lists:sum([40, 2])", "42", ""),
        ("X = 6, X * 7.\n", "42", ""),
        ("node()", "'node1@127.0.0.1'", ""),
        ('{"grün", <<"tea">>, [8364]}', '{"grün",<<"tea">>,[8364]}', ""),
        ('io:format("größe ~p~n", [ok]), done.', "done", "größe ok\n"),
        ('io:put_chars(user, []), io:requests([{put_chars, unicode, "a"}, nl])', "ok", "a\n"),
        ("io:put_chars([300])", "ok", "Ĭ"),
        ('io:get_line("")', "eof", ""),
        ('io:get_line("Press return")', '"\\n"', ""),
        ("io:columns()", "{error,enotsup}", ""),
        ("F = fun(X) -> X + 1 end, F(41)", "42", ""),
        (
            "erpc:call('node2@127.0.0.1', fun() -> io:format(\"there\"), node() end)",
            "'node2@127.0.0.1'",
            "there",
        ),
    ],
)
def test_an_expression_gives_its_value_and_what_it_printed(
    shell: NodeShell, source: str, value: str, output: str
) -> None:
    assert shell.evaluate(source) == Evaluated("node1", value, output, None)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("1 / 0", "exception error: an error occurred when evaluating an arithmetic expression"),
        ("lists:rverse([1])", "exception error: undefined function lists:rverse/1"),
        ("throw(tea)", "exception throw: tea"),
        ("exit(tea)", "exception exit: tea"),
        ("no_such(1)", "undefined function"),
        ("X", "variable 'X' is unbound"),
        ("a b", "syntax error before: b"),
        ('"endless', "unterminated string"),
    ],
)
def test_what_goes_wrong_is_told_as_erlang_tells_it(shell: NodeShell, source: str, told: str) -> None:
    found = shell.evaluate(source)

    assert found.value is None
    assert told in str(found.traceback)
    assert "clusterlib" not in str(found.traceback)
    assert "rpc" not in str(found.traceback)


def test_what_was_printed_before_an_exception_is_not_lost(shell: NodeShell) -> None:
    found = shell.evaluate('io:format("before"), error(tea)')

    assert (found.output, found.value) == ("before", None)


def test_commands_of_the_shell_work(shell: NodeShell) -> None:
    assert "node1" in shell.evaluate("pwd()").output
    assert "Registered" in shell.evaluate("i()").output


def test_what_goes_on_afterwards_prints_to_the_log_of_the_node(shell: NodeShell, cluster: Cluster) -> None:
    source = 'spawn(fun() -> receive after 200 -> io:format("tea is ready~n") end end), ok'
    assert shell.evaluate(source).value == "ok"

    assert poll(lambda: "tea is ready" in cluster["node1"].log(), Deadline(PATIENCE))


def test_evaluations_leave_no_process_and_hardly_an_atom_behind(shell: NodeShell, cluster: Cluster) -> None:
    def counted(what: str) -> int:
        found: int = cluster["node1"].call("erlang", "system_info", [Atom(what)])
        return found

    shell.evaluate("ok")
    processes, atoms = counted("process_count"), counted("atom_count")
    for number in range(100):
        assert shell.evaluate(f"{number} + 1").value == f"{number + 1}"

    assert counted("atom_count") - atoms <= 5
    assert poll(lambda: counted("process_count") <= processes, Deadline(PATIENCE))


def test_a_node_that_ends_meanwhile_says_so(shell: NodeShell) -> None:
    with pytest.raises(NodeUnavailable):
        shell.evaluate("erlang:halt()")


def test_what_is_interrupted_ends_in_the_node_too(shell: NodeShell, cluster: Cluster) -> None:
    def there() -> bool:
        return isinstance(cluster["node1"].call("erlang", "whereis", [Atom("eternal")]), Pid)

    def interrupt() -> None:
        poll(there, Deadline(PATIENCE))
        os.kill(os.getpid(), signal.SIGINT)

    shell.evaluate("ok")
    processes = cluster["node1"].call("erlang", "system_info", [Atom("process_count")])
    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    with pytest.raises(KeyboardInterrupt):
        shell.evaluate("register(eternal, self()), timer:sleep(infinity)")
    interrupting.join()

    assert not there()
    assert shell.evaluate("1 + 1").value == "2"
    assert poll(
        lambda: cluster["node1"].call("erlang", "system_info", [Atom("process_count")]) <= processes,
        Deadline(PATIENCE),
    )


def test_from_the_command_line_with_exit_codes_and_json(cluster: Cluster) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "clusterlib", "cluster.shell", *words],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    assert run_own_shell("node1", code="ok", project=cluster.project) is None
    plain = run("node1", "-c", 'io:format("tea~n"), lists:sum([40, 2]).')
    assert (plain.returncode, plain.stdout) == (0, "tea\n42\n")
    told = run("node2", "--json", "-c", "{1, a}")
    assert json.loads(told.stdout) == {
        "node": "node2",
        "value": "{1,a}",
        "output": "",
        "traceback": None,
        "stale": [],
    }
    wrong = run("node1", "-c", "1 / 0")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "arithmetic" in wrong.stderr
    broken = run("node1", "--json", "-c", "error(tea)")
    assert broken.returncode == 1
    assert "exception error: tea" in json.loads(broken.stdout)["traceback"]


def test_where_elixir_runs_the_expression_is_one_of_elixir(system: System) -> None:
    need("elixir", "elixir")
    found = shutil.which("elixir")
    assert found is not None
    home = Path(found).resolve().parents[1] / "lib"
    overrides = {"beam.applications": ["elixir"], "beam.path": [str(home / "elixir" / "ebin")]}
    cluster = system("beam", nodes=2, overrides=overrides)

    with NodeShell("node2", project=cluster.project) as shell:
        assert shell.evaluate("Enum.sum([40, 2])") == Evaluated("node2", "42", "", None)
        assert shell.evaluate('IO.puts("größe"); %{tea: ["grün", nil]}') == Evaluated(
            "node2", '%{tea: ["grün", nil]}', "größe\n", None
        )
        assert shell.evaluate("Node.list()").value == '[:"node1@127.0.0.1"]'
        raised = shell.evaluate("Enum.fetch!([], 1)").traceback
        assert raised is not None
        assert raised.startswith("** (Enum.OutOfBoundsError) out of bounds error")
        assert "clusterlib" not in raised
        assert "** (TokenMissingError)" in str(shell.evaluate("[1, ").traceback)
