"""When a cluster does not start: what is tried, what the tests become, and that it is told once."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.plugin.suite import Ended, Suite

SHIPPED = Path(__file__).parents[3] / "templates"
TESTS = """
def test_one(cluster):
    pass

def test_two(cluster):
    pass

def test_plain():
    pass
"""
APPS = """
import os, time

def exits():
    print("I cannot go on", flush=True)
    os._exit(3)

def raises():
    raise LookupError("no stock to begin with")

def is_killed():
    print("I am killed", flush=True)
    os.kill(os.getpid(), 9)

def hangs():
    while True:
        time.sleep(1)
"""


@pytest.fixture(autouse=True)
def project(suite: Suite) -> None:
    suite.file("test_it.py", TESTS)
    suite.file("apps.py", APPS)


@pytest.fixture
def held_ports() -> Iterator[int]:
    """Three ports in a row, all in use by somebody else."""
    while True:
        sockets = [socket.socket() for _ in range(3)]
        try:
            first = random.randrange(28100, 32700)
            for offset, one in enumerate(sockets):
                one.bind(("127.0.0.1", first + offset))
            for one in sockets:
                one.listen()
        except OSError:
            for one in sockets:
                one.close()
            continue
        yield first
        for one in sockets:
            one.close()
        return


def configure(suite: Suite, text: str) -> None:
    suite.configure(f"[tool.clusterlib]\n{text}\n[tool.clusterlib.retry]\nattempts = 1\nfirst = 0.01\n")


def check(ended: Ended, code: str, *said: str, tests: int = 2) -> None:
    """The tests are skipped with one line each; the whole error stands once at the end."""
    assert ended.code == 0, ended.text
    assert ended.last == "1 passed, 2 skipped"
    assert len(ended.matching("= cluster errors =")) == 1
    assert len(ended.matching(f"{tests} tests skipped)")) == 1
    assert f"[{code}]" in ended.one(f"{tests} tests skipped)")
    for text in said:
        assert text in ended.text, ended.text
    assert "  try: " in ended.text
    assert "\nTraceback" not in ended.text, "but that of the node is evidence"


def check_failed(ended: Ended, code: str, *said: str) -> None:
    """The tests fail after one start, the first with the whole error, which stands at the end,
    too."""
    assert ended.code == 1, ended.text
    assert ended.last == "1 passed, 2 errors"
    assert len(ended.matching("2 tests failed)")) == 1
    assert f"[{code}] (profile dev: 2 tests failed)" in ended.one("2 tests failed)"), "after one attempt"
    assert len(ended.matching("no cluster: ")) >= 1
    for text in said:
        assert ended.text.count(text) >= 2, ended.text


def test_an_application_that_exits_at_its_start_fails_its_tests_at_once(suite: Suite) -> None:
    configure(suite, 'python.app = "apps:exits"')

    check_failed(suite.run("--distributed"), "application-failed", "| I cannot go on", "exited with code 3")


def test_an_application_that_raises_at_its_start_fails_its_tests_at_once_with_its_traceback(
    suite: Suite,
) -> None:
    configure(suite, 'python.app = "apps:raises"')

    ended = suite.run("--distributed")

    check_failed(ended, "application-failed", 'raise LookupError("no stock to begin with")')
    assert "clusterlib/runtime" not in ended.text, "how the node came to call it explains nothing"


def test_an_application_that_takes_a_port_in_use_has_chosen_it_itself(suite: Suite) -> None:
    suite.file(
        "apps.py",
        """
import socket
def main():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        socket.create_server(taken.getsockname())
""",
    )
    configure(suite, 'python.app = "apps:main"')

    check_failed(suite.run("--distributed"), "application-failed", "| OSError: [Errno 98]")


def test_a_node_that_is_killed_at_its_start(suite: Suite) -> None:
    configure(suite, 'python.app = "apps:is_killed"')

    ended = suite.run("--distributed", "-rs")

    check(ended, "node-exited", "I am killed", "killed by SIGKILL", "after 3 attempts")
    assert len(ended.matching("no cluster: ")) == 2


def test_a_node_that_never_gets_ready(suite: Suite) -> None:
    configure(suite, 'python.app = "apps:hangs"\ntimeouts.start = 0.5\ntests.fallbacks = ["skip"]')

    ended = suite.run("--distributed")

    check(ended, "node-not-ready")
    assert ended.one("try: export CLUSTERLIB_TIMEOUTS_START=60")


def test_ports_that_somebody_holds(suite: Suite, held_ports: int) -> None:
    configure(suite, f'ports.cluster = "{held_ports}-{held_ports + 2}"\nadapt.enabled = false')

    check(suite.run("--distributed"), "ports-exhausted", str(held_ports))


def test_an_application_that_is_not_there(suite: Suite) -> None:
    configure(suite, 'python.app = "nowhere:main"\ntests.fallbacks = ["skip"]')

    check_failed(suite.run("--distributed"), "application-failed", "there is no module 'nowhere'")


def test_strict_makes_failures_of_them_and_ci_is_strict(suite: Suite) -> None:
    configure(suite, 'python.app = "apps:is_killed"\ntests.fallbacks = ["skip"]')

    for variables in ({"CLUSTERLIB_TESTS_STRICT": "always"}, {"CI": "true"}):
        ended = suite.run("--distributed", **variables)

        assert ended.code == 1
        assert ended.last == "1 passed, 2 errors"
        assert len(ended.matching("= cluster errors =")) == 1
        assert "2 tests failed)" in ended.text
        assert len(ended.matching("E   ")) == 0, "no traceback of ours"
        assert ended.text.count("| ") >= 1
    relaxed = suite.run("--distributed", CI="true", CLUSTERLIB_TESTS_STRICT="never")
    assert relaxed.last == "1 passed, 2 skipped"


def test_what_the_profile_allows_is_tried_in_its_order(suite: Suite) -> None:
    suite.file(
        "apps.py",
        """
import os, sys
def main():
    if "clusterlib.runtime.simulation" not in sys.modules:
        os.kill(os.getpid(), 9)
""",
    )
    configure(
        suite,
        'python.app = "apps:main"\ntests.fallbacks = ["retry", "smaller", "simulate", "skip"]\nnodes.min = 2',
    )

    ended = suite.run("--distributed", "--cluster-artifacts=out")

    assert ended.code == 0, ended.text
    assert "SIMULATED" in ended.text
    assert ended.last == "3 passed"
    tried = [record["next"] for record in suite.records("cluster.failed", suite.path / "out")]
    assert tried == ["retry", "smaller", "simulate"]


def test_force_cluster_that_cannot_be_obeyed_fails_a_strict_run(suite: Suite) -> None:
    configure(suite, 'python.app = "apps:is_killed"\ntests.fallbacks = ["skip"]')

    relaxed = suite.run("--force-cluster", "-k", "plain")
    strict = suite.run("--force-cluster", "-k", "plain", CLUSTERLIB_TESTS_STRICT="always")

    assert (relaxed.code, strict.code) == (0, 1)
    for ended in (relaxed, strict):
        assert ended.last == "1 passed, 2 deselected"
        assert len(ended.matching("= cluster errors =")) == 1
        assert ended.one("[node-exited] (profile dev, 3 nodes: --force-cluster could not be obeyed)")


def test_a_node_that_knows_another_cookie(suite: Suite) -> None:
    template = (SHIPPED / "python" / "node.json.j2").read_text()
    suite.file("foreign-cookie", "0123456789abcdef0123456789abcdef").chmod(0o600)
    other = f'{{{{ "{suite.path}/foreign-cookie" if node.index == 2 else cookie_file | string }}}}'
    suite.file("templates/python/node.json.j2", template.replace("{{ cookie_file | tojson }}", f'"{other}"'))
    configure(suite, 'timeouts.start = 2.0\ntests.fallbacks = ["skip"]')

    check(suite.run("--distributed"), "node-not-ready", "cookie")


def test_a_node_that_gets_no_memory(suite: Suite) -> None:
    suite.file(
        "apps.py",
        """
import resource
def greedy():
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    bytearray(2 << 30)
""",
    )
    configure(suite, 'python.app = "apps:greedy"\ntests.fallbacks = ["skip"]')

    check(suite.run("--distributed"), "node-exited", "MemoryError")  # no fault of the application


def test_more_nodes_than_the_memory_carries_are_refused_before_anything_starts(suite: Suite) -> None:
    suite.file(
        "test_it.py", "import pytest\n@pytest.mark.cluster_size(9)\ndef test_nine(cluster):\n    pass\n"
    )
    configure(suite, 'nodes.memory = "100GiB"\nnodes.count = 2\nnodes.min = 2')

    ended = suite.run("--distributed", "--cluster-artifacts=out")

    assert ended.last == "1 error"
    assert "[impossible]" in ended.text
    assert "100GiB a node" in ended.text
    assert suite.records("cluster.started", suite.path / "out") == []


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("\x7fELF, but no program", 0o700, "Exec format error"),
        ("#!/no/such/interpreter\n", 0o700, "the interpreter or loader it asks for is missing"),
        ("#!/bin/sh\n", 0o600, "may not be executed"),
    ],
)
def test_a_program_that_cannot_be_executed_fails_its_tests(
    suite: Suite, text: str, mode: int, said: str
) -> None:
    suite.file("bin/server", text).chmod(mode)
    suite.file(
        "profiles/broken.toml",
        """
driver = "command"
[ports]
client = "16700-16799"
[command]
program = "bin/server"
[ready]
ports = ["client"]
""",
    )

    ended = suite.run("--distributed", "--profile", "broken")

    assert (ended.code, ended.last) == (1, "1 passed, 2 errors"), ended.text
    assert ended.one("[application-failed] (profile broken: 2 tests failed)"), "after one attempt"
    assert said in ended.text


def test_a_program_that_is_missing(suite: Suite) -> None:
    suite.file(
        "profiles/ghost.toml",
        """
driver = "command"
[ports]
client = "16800-16899"
[command]
program = "ghost-server"
[ready]
ports = ["client"]
[requires]
ghost-server = "debian ghost-server"
""",
    )

    ended = suite.run("--distributed", "--profile", "ghost")

    check(ended, "program-missing", "apt-get install", "ghost-server")
    assert ended.one("[program-missing] (profile ghost: 2 tests skipped)"), (
        "fewer nodes would not have it either"
    )
