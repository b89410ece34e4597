"""`cluster.run`: a command, or the tests of a profile, with a cluster."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.functional.tasks.calling import Invoke


def test_a_command_gets_a_cluster_and_its_exit_code_is_passed_on(invoke: Invoke, shop: Path) -> None:
    program = shop / "use it.py"
    program.write_text(
        "import clusterlib, os, sys\n"
        "cluster = clusterlib.attach()\n"
        "told = dict(pair.split('=', 1) for pair in os.environ['CLUSTERLIB_NODES'].split(','))\n"
        "assert told == {n.name: f\"{n.address}:{n.ports['cluster']}\" for n in cluster}, told\n"
        "assert os.environ['CLUSTERLIB_HTTP'].startswith('node1=http://127.0.0.1:')\n"
        "assert os.path.exists(os.environ['CLUSTERLIB_COOKIE_FILE'])\n"
        "print('total', cluster['node1'].call('shop:total', 21), sys.argv[1:])\n"
        "sys.exit(17)\n"
    )

    done = invoke("cluster.run", "--nodes", "2", "--", sys.executable, str(program), "a b", "--json")

    assert done.returncode == 17, done.stderr
    assert "total 42 ['a b', '--json']" in done.stdout
    assert "failed with exit code 17" in done.stderr
    assert "| asked for 21" in done.stderr
    assert "run folder" in done.stderr
    assert invoke("cluster.status").returncode == 3


SECRETS = {"DB_PASSWORD": "Sup3rSecret-42"}


@pytest.mark.parametrize("task", [["cluster.up"], ["cluster.run", "--", "true"], ["cluster.up", "--json"]])
def test_a_start_that_fails_shows_no_secret(invoke: Invoke, shop: Path, task: list[str]) -> None:
    (shop / "shop.py").write_text(
        "import os\n\n\ndef serve():\n"
        "    raise ValueError('bad ' + os.environ['DB_PASSWORD'] + ' of ' + os.environ['SHOP_TOKEN'])\n"
    )
    (shop / "profiles").mkdir()
    (shop / "profiles" / "shop.toml").write_text(
        'extends = "ci-small"\n[python]\napp = "shop:serve"\n[environment]\nSHOP_TOKEN = "of-the-profile-1"\n'
    )

    done = invoke(*task[:1], "--profile", "shop", *task[1:], **SECRETS)

    shown = done.stdout + done.stderr
    assert done.returncode == 1, shown
    assert "ValueError: bad [redacted] of [redacted]" in shown, shown
    assert SECRETS["DB_PASSWORD"] not in shown
    assert "of-the-profile-1" not in shown


def test_the_last_lines_of_nodes_show_no_secret(invoke: Invoke) -> None:
    call = "import clusterlib; clusterlib.attach()['node1'].call('shop:total', 'Sup3rSecret-42'); raise SystemExit(3)"

    done = invoke("cluster.run", "--nodes", "2", "--", sys.executable, "-c", call, **SECRETS)

    assert "| asked for [redacted]" in done.stderr
    assert SECRETS["DB_PASSWORD"] not in done.stderr.partition("failed with exit code")[2].partition("\n")[2]


def test_without_a_command_the_tests_of_the_profile_are_run(invoke: Invoke, shop: Path) -> None:
    (shop / "tests").mkdir()
    (shop / "tests" / "test_it.py").write_text(
        "import clusterlib\n\n\ndef test_it():\n    assert len(clusterlib.attach()) == 2\n"
    )

    found = invoke("cluster.run", "--nodes", "2")
    assert found.returncode == 0, found.stdout
    assert "1 passed" in found.stdout, "without a word in any profile: what pytest finds"

    passed = invoke("cluster.run", "--nodes", "2", CLUSTERLIB_TESTS_PATHS="tests")
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "1 passed" in passed.stdout

    missing = invoke("cluster.run", CLUSTERLIB_TESTS_PATHS="elsewhere")
    assert missing.returncode == 2
    assert "elsewhere" in missing.stderr


def test_a_running_cluster_is_borrowed_and_left_running(answer: Callable[..., Any]) -> None:
    before = answer("cluster.up", "--nodes", "2")["cluster"]

    ran = json.loads(json.dumps(answer("cluster.run", "--", "true")))
    after = answer("cluster.status")["clusters"][0]

    assert ran["borrowed"] is True
    assert [node["pid"] for node in after["nodes"]] == [node["pid"] for node in before["nodes"]]


def test_with_json_what_the_command_prints_does_not_spoil_the_answer(invoke: Invoke) -> None:
    done = invoke("cluster.run", "--nodes", "1", "--json", "--", "echo", "hello")

    assert json.loads(done.stdout)["exit_code"] == 0
    assert done.stderr == "hello\n"


def test_a_run_that_takes_too_long_is_ended(invoke: Invoke) -> None:
    done = invoke("cluster.run", "--nodes", "1", "--timeout", "3", "--", "tail", "-f", "/dev/null")

    assert done.returncode == 124
    assert "timed out after 3 s" in done.stderr
    assert invoke("cluster.status").returncode == 3


def test_a_program_that_is_not_there_is_an_error_and_leaves_no_cluster(invoke: Invoke) -> None:
    done = invoke("cluster.run", "--nodes", "1", "--", "no-such-program")

    assert done.returncode == 1
    assert "[program-missing]" in done.stderr
    assert invoke("cluster.status").returncode == 3
