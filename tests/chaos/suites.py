"""Two checkouts of one project run `pytest -n 4 --distributed` at once, on the same ports, while
runners are killed.

Whatever was hit, nothing may be left, no port may have been fought over, every JUnit file that lies
there must be valid; and a run that nobody hit must pass."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterlib.hosts.proc import MARKER
from clusterlib.rundir.folders import all_names, cluster_identifier
from clusterlib.waiting import Deadline, poll
from tests.chaos.leftovers import Finding, debris, survivors
from tests.chaos.processes import MARK, Seen, everyone_with, hit, look
from tests.schemas.junit import schema

__all__ = ["Duel"]

WORKERS = 4
FIRST_PORT, PORTS = 24000, 400
RUN_SECONDS = 240.0
VANISH_SECONDS = 30.0
MOST_TESTS = 12
SLOW_PLUGINS = ("asyncio", "hypothesispytest", "rerunfailures", "timeout")
"""They take as long to import as all the rest of pytest, in each worker anew."""
VICTIMS = ("nobody", "controller", "controller", "worker", "worker")
XDIST_FELL = "INTERNALERROR> OSError: cannot send (already closed?)"
"""pytest-xdist's controller ends itself like this, with or without our plugin, if a worker dies
just before the controller sends it more tests. See
`test_a_worker_that_dies_as_it_is_given_tests_...`."""
INTERNAL_ERROR = 3
FOUGHT_OVER = ("Address already in use", "ports-exhausted", "EADDRINUSE")

PROFILE = """
extends = "ci-small"

[ports]
cluster = "{first}-{middle}"
http = "{next}-{last}"

[timeouts]
start = 60
stop = 2

[adapt]
enabled = false
"""


@dataclass(frozen=True)
class Blow:
    """Who is killed, and how many tests of its run have begun by then."""

    victim: str
    tests: int
    choice: int

    def __str__(self) -> str:
        return self.victim if self.victim == "nobody" else f"{self.victim} killed after {self.tests} tests"


def _blow(victim: str, tests: int, choice: int) -> Blow:
    """A worker is killed only after a test has begun. Before that, its death ends pytest-xdist."""
    return Blow(victim, max(1, tests) if victim == "worker" else tests, choice)


class Checkout:
    """One copy of the project with its test run."""

    def __init__(self, folder: Path, profile: str, blow: Blow, mark: str) -> None:
        self.folder = folder
        self.blow = blow
        self.struck: Seen | None = None
        self.missed = blow.victim == "nobody"
        shutil.copytree(Path(__file__).parent / "suite", folder, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "profiles").mkdir()
        (folder / "profiles" / "shop.toml").write_text(profile)
        left_out = " ".join(f"-p no:{plugin}" for plugin in SLOW_PLUGINS)
        (folder / "pytest.ini").write_text(f"[pytest]\npython_files = suite_*.py\naddopts = {left_out}\n")
        self.artifacts = folder / "artifacts"
        self.log = folder / "pytest.log"
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CLUSTERLIB_", "PYTEST_")) and name != MARKER
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pytest", *self._arguments()],
                cwd=folder,
                env={**environment, MARK: mark},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._pinned = look(self.process.pid)

    def _arguments(self) -> list[str]:
        artifacts = [f"--junitxml={self.artifacts / 'junit.xml'}", f"--cluster-artifacts={self.artifacts}"]
        return ["-n", str(WORKERS), "--distributed", "--profile", "shop", *artifacts]

    def __str__(self) -> str:
        return f"{self.folder.name} ({self.blow}{'' if self.struck or self.blow.victim == 'nobody' else ', missed'})"

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def step(self) -> bool:
        """Strikes when the moment has come. True once the run is over."""
        if self.ended:
            return True
        if self.struck is None and not self.missed and self._begun() >= self.blow.tests:
            self._strike()
        return False

    def _begun(self) -> int:
        return sum(1 for record in self.records() if record["kind"] == "test.started")

    def records(self) -> Iterator[dict[str, Any]]:
        for path in sorted((self.artifacts / "records").glob("*.jsonl")):
            for line in path.read_text(errors="replace").splitlines():
                try:
                    yield json.loads(line)
                except ValueError:
                    continue  # cut short by the blow

    def _strike(self) -> None:
        target = self._pinned
        if self.blow.victim == "worker":
            workers = [seen for seen in everyone_with(MARK) if seen.parent == self.process.pid]
            if not workers:
                return  # they are still to come
            target = workers[self.blow.choice % len(workers)]
        if target is not None and hit(target, signal.SIGKILL):
            self.struck = target
        else:
            self.missed = True

    def finish(self) -> None:
        if not self.ended:
            self.process.kill()
        self.process.wait()

    # -- judgement

    def findings(self) -> Iterator[Finding]:
        yield from self._exit()
        yield from self._fights()
        for path in sorted(self.artifacts.rglob("*.xml")):
            for problem in faults_of(path):
                yield Finding("JUnit", f"{path}: {problem}")
        if not (self.artifacts / "report.html").exists() and self._begun():
            yield Finding("report", f"{self}: tests had begun, and there is no report.html")

    def _exit(self) -> Iterator[Finding]:
        code = self.process.returncode
        if self.struck is None:
            wanted = [0]
        elif self.blow.victim == "controller":
            wanted = [-signal.SIGKILL]
        else:
            wanted = [0, 1]  # a worker that had finished its last test is not missed
            if XDIST_FELL in self.log.read_text(errors="replace"):
                wanted = [INTERNAL_ERROR]
        if code not in wanted:
            yield Finding("pytest", f"{self} ended with {code}; see {self.log}")
        failed = {
            r["test"]
            for r in self.records()
            if r["kind"] == "test.ended" and r["outcome"] in {"failed", "error"}
        }
        if failed:
            yield Finding("pytest", f"{self}: {', '.join(sorted(failed))} failed; see {self.log}")

    def _fights(self) -> Iterator[Finding]:
        for record in self.records():
            if record["kind"] == "cluster.failed":
                yield Finding("start", f"{self}: {record['error']}")
        for path in self.folder.rglob("*.log"):
            text = path.read_text(errors="replace")
            for words in FOUGHT_OVER:
                if words in text:
                    yield Finding("port", f"{path} says {words!r}")


class Duel:
    """One round: two checkouts at once."""

    def __init__(self, seed: int, number: int, mark: str) -> None:
        random_ = random.Random(f"{seed}/{number}/suites")
        self.mark = mark
        self.folder = Path(tempfile.mkdtemp(prefix="clusterlib-suites-"))
        self.ports = range(FIRST_PORT, FIRST_PORT + 2 * PORTS)
        self._blows = [
            _blow(random_.choice(VICTIMS), random_.randint(0, MOST_TESTS), random_.randrange(WORKERS))
            for _ in range(2)
        ]
        self._began = time.monotonic()
        self.checkouts: list[Checkout] = []

    def fight(self) -> list[Finding]:
        first = FIRST_PORT
        profile = PROFILE.format(
            first=first, middle=first + PORTS - 1, next=first + PORTS, last=first + 2 * PORTS - 1
        )
        try:
            for number, blow in enumerate(self._blows, 1):
                self.checkouts.append(Checkout(self.folder / f"checkout-{number}", profile, blow, self.mark))
            over = poll(self._step, Deadline(RUN_SECONDS), longest=0.02)
        finally:
            for checkout in self.checkouts:
                checkout.finish()
        hanging = [] if over else [Finding("pytest", f"not done within {RUN_SECONDS:g} s")]
        return [*hanging, *self._what_is_left(), *(f for one in self.checkouts for f in one.findings())]

    def _step(self) -> bool:
        over = [one.step() for one in self.checkouts]
        return all(over)

    def _what_is_left(self) -> list[Finding]:
        identifiers = [
            cluster_identifier(one.folder, name) for one in self.checkouts for name in all_names(one.folder)
        ]
        last: list[Finding] = []

        def clean() -> bool:
            last[:] = survivors(self.mark, self.folder) or debris(
                self.mark, identifiers, self.folder, self.ports
            )
            return not last

        return [] if poll(clean, Deadline(VANISH_SECONDS)) else last

    def summary(self) -> str:
        fates = " and ".join(str(one) for one in self.checkouts)
        return f"two suites of -n {WORKERS}: {fates}; {time.monotonic() - self._began:.1f} s"

    def evidence(self) -> list[str]:
        lines = []
        for one in self.checkouts:
            lines += [
                f"--- {one}",
                *(f"  | {line}" for line in one.log.read_text(errors="replace").splitlines()[-60:]),
            ]
        return lines

    def tidy(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def faults_of(path: Path) -> list[str]:
    """What keeps a JUnit file from being read by those who read such files."""
    try:
        return [str(error.reason) for error in schema().iter_errors(str(path))]
    except Exception as error:  # noqa: BLE001 - whatever the parser stumbles over is the finding
        return [f"{type(error).__name__}: {error}"]
