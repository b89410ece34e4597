"""A driver has a mistake: the commands say where, and no cluster is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

DRIVER = """\
from clusterlib.drivers import Driver, Link, NodeKind, NotYet, Program, Ready, Rung, Spawn, frozen, setting, text


@frozen
class Odd:
    fails: str = setting("", text(), "The method that raises.")


class Failing:
    def __getattribute__(self, name):
        own = object.__getattribute__(self, "__dict__")
        if own.get("fails") == name:
            raise FileNotFoundError(2, "a mistake", "my.conf")
        return object.__getattribute__(self, name)


class OddDriver(Failing, Driver):
    name = "odd"
    purposes = ()

    def __init__(self, settings, host):
        self.asleep = set()
        self.fails = settings.fails

    def order(self, node, claims):
        program = Program(("/bin/sh", "-c", "echo asleep; exec sleep 600"))
        return Spawn(node.name, program, node.directory, node.environment), OddLink(self, node.name)


class OddLink(Failing, Link):
    def __init__(self, driver, name):
        self.asleep, self.name = driver.asleep, name
        self.fails = driver.fails

    @property
    def view(self):
        return frozenset(self.asleep)

    def begin(self, process, news):
        self.asleep.add(self.name)

    def ladder(self, expected):
        async def sees():
            return Ready() if expected <= self.asleep else NotYet("others are missing")

        return [Rung("joined", sees)]

    def hear(self, data):
        pass

    def close(self):
        self.asleep.discard(self.name)


KIND = NodeKind(OddDriver, sections=lambda: {"odd": Odd})
"""
LINE = DRIVER.splitlines().index('            raise FileNotFoundError(2, "a mistake", "my.conf")') + 1
PATIENCE = 120

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/odd.toml").write_text('driver = "odd_driver:KIND"\nnodes = { count = 2 }\n')
    (tmp_path / "odd_driver.py").write_text(DRIVER)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("CLUSTERLIB_", "CI"))
    }

    def run(*words: str, fails: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "clusterlib", *words],
            cwd=tmp_path,
            env={**environment, "NO_COLOR": "1", **({"CLUSTERLIB_ODD_FAILS": fails} if fails else {})},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    yield run
    run("down", "--all")


@pytest.mark.parametrize("method", ["order", "prepare", "learn", "begin", "ladder", "view", "facts"])
def test_a_start_that_its_driver_fails_says_in_which_method_and_line(
    method: str, run: Run, tmp_path: Path
) -> None:
    told = run("up", "--profile", "odd", fails=method, code=2).stderr

    assert "[driver-unusable]" in told
    assert f".{method}" in told
    assert f"{tmp_path / 'odd_driver.py'}:{LINE}: FileNotFoundError: [Errno 2] a mistake: 'my.conf'" in told
    assert "ulimit" not in told
    assert "Traceback" not in told


@pytest.mark.parametrize("method", ["close", "hear", "stopping", "ask_to_stop", "forget"])
def test_a_driver_that_fails_when_nodes_end_loses_none_of_them(method: str, run: Run, tmp_path: Path) -> None:
    run("up", "--profile", "odd", fails=method)
    run("kill", "node1")

    (status,) = json.loads(run("status", "--json").stdout)["clusters"]
    assert [node["state"] for node in status["nodes"]] == ["dead", "ready"]
    folder = Path(status["run"])
    assert "nothing is left" in run("down").stdout
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    failures = [event for event in events if event["kind"] == "driver.failed"]
    assert failures
    assert all(f".{method}" in one["problem"] and f":{LINE}: " in one["cause"] for one in failures)
    assert "Traceback" in (folder / "keeper.log").read_text()
