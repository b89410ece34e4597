"""Nothing outlives its keeper, on any rung, whoever dies first."""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clusterlib.hosts.identity import Identity
from clusterlib.hosts.proc import MARKER, ProcessStatus, descendants, marked
from clusterlib.waiting import Deadline
from tests.unit.hosts.real_cases import CASES

RUNGS = ["namespace", "user-namespace", "sweep"]
SECONDS = 30.0
FAMILY = 10
"""Three nodes, two daemonisers that stay, four daemons, a shell with its child, a nursery: at least
these."""


class Family:
    """A keeper with nodes, daemons and programs below it, as seen from outside."""

    def __init__(self, rung: str) -> None:
        self.marker = secrets.token_hex(8)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.hosts.real_cases", rung],
            env={**os.environ, MARKER: self.marker},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            _, problem = self.process.communicate()
            if b"refuses the containment" in problem:
                pytest.skip(f"this system has no {rung}")
            raise AssertionError(problem.decode())
        told = json.loads(line)
        self.keeper, self.guard = _identity(told["keeper"]), _identity(told["guard"])
        self.everyone: list[ProcessStatus] = descendants(self.guard.pid)
        self._pinned = [os.pidfd_open(seen.pid) for seen in self.everyone] + [os.pidfd_open(self.guard.pid)]

    def wait_until_gone(self) -> None:
        deadline = Deadline(SECONDS)
        waiting = select.poll()
        for descriptor in self._pinned:
            waiting.register(descriptor, select.POLLIN)
        alive = len(self._pinned)
        while alive and not deadline.passed:
            for descriptor, _ in waiting.poll(deadline.left * 1000):
                waiting.unregister(descriptor)
                alive -= 1
        assert not alive, f"{alive} processes still live"
        assert marked(self.marker) == []

    def close(self) -> None:
        for seen in descendants(self.guard.pid) if self.guard.alive() else []:
            Identity(seen.pid, seen.started, self.guard.boot, self.guard.namespace).kill()
        self.process.kill()
        self.process.communicate()
        for descriptor in self._pinned:
            os.close(descriptor)


def _identity(pid: int) -> Identity:
    found = Identity.of(pid)
    assert found is not None
    return found


@pytest.fixture
def family() -> Iterator[Callable[[str], Family]]:
    families: list[Family] = []

    def start(rung: str) -> Family:
        families.append(Family(rung))
        return families[-1]

    yield start
    for each in families:
        each.close()


@pytest.mark.parametrize("rung", RUNGS)
def test_when_the_keeper_is_killed_nobody_is_left_not_even_daemons(
    rung: str, family: Callable[[str], Family]
) -> None:
    it = family(rung)
    assert len(it.everyone) > FAMILY
    it.keeper.kill()
    it.wait_until_gone()
    assert it.process.wait(SECONDS) == 128 + signal.SIGKILL


@pytest.mark.parametrize("rung", RUNGS)
def test_when_the_guard_is_killed_the_keeper_is_told_and_leaves_in_order(
    rung: str, family: Callable[[str], Family]
) -> None:
    it = family(rung)
    it.guard.kill()
    it.wait_until_gone()
    assert it.process.stdout is not None
    assert it.process.stdout.read() == b"told\n"


@pytest.mark.parametrize("rung", RUNGS)
def test_sigterm_to_the_guard_reaches_the_keeper(rung: str, family: Callable[[str], Family]) -> None:
    it = family(rung)
    it.guard.kill(signal.SIGHUP)  # a closed terminal is nothing to it
    it.guard.kill(signal.SIGTERM)
    assert it.process.wait(SECONDS) == 0
    it.wait_until_gone()
    assert it.process.stdout is not None
    assert it.process.stdout.read() == b"told\n"


@pytest.mark.parametrize("rung", ["namespace", "user-namespace"])
def test_in_a_namespace_killing_guard_and_keeper_together_leaves_nobody(
    rung: str, family: Callable[[str], Family]
) -> None:
    it = family(rung)
    it.guard.kill()
    it.keeper.kill()
    it.wait_until_gone()


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("case", CASES)
def test_of_the_real_host_that(case: str, rung: str) -> None:
    marker = secrets.token_hex(8)
    keeper = subprocess.run(
        [sys.executable, "-m", "tests.unit.hosts.real_cases", rung, case],
        env={**os.environ, MARKER: marker},
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
        check=False,
    )
    if "refuses the containment" in keeper.stderr:
        pytest.skip(f"this system has no {rung}")
    assert keeper.returncode == 0, keeper.stderr
    assert marked(marker) == []


@pytest.mark.parametrize("rung", RUNGS)
def test_a_keeper_hears_of_ends_although_its_caller_blocks_signals(rung: str) -> None:
    keeper = subprocess.run(
        [sys.executable, "-m", "tests.contract.host_cases", rung, "a_killing_signal_is_reported"],
        env={**os.environ, MARKER: secrets.token_hex(8)},
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
        check=False,
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()),
    )
    if "refuses the containment" in keeper.stderr:
        pytest.skip(f"this system has no {rung}")
    assert keeper.returncode == 0, keeper.stderr


ENTERS = """
import ctypes, os, sys
from clusterlib.hosts.containment import enter
rung, code, user = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if user != os.getuid():
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # dumpable, as a process is that was started by this user
guarded = enter(rung, marker="none", on_keeper_death=lambda: print("buried", flush=True))
print(guarded.rung, len(guarded.refusals), flush=True)
os._exit(code)
"""


def _enter(rung: str, *, code: int = 0, user: int | None = None) -> subprocess.CompletedProcess[str]:
    arguments = [rung, str(code), str(os.getuid() if user is None else user)]
    return subprocess.run(
        [sys.executable, "-c", ENTERS, *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_the_guard_buries_the_keeper_and_ends_with_its_code() -> None:
    ended = _enter("auto", code=9)
    assert ended.returncode == 9
    assert ended.stdout.splitlines()[1:] == ["buried"]


def test_an_unknown_rung_is_refused_with_the_known_ones() -> None:
    ended = _enter("castle")
    assert ended.returncode == 1
    assert "auto, namespace, user-namespace, sweep" in ended.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_gets_a_lower_rung_and_is_told_why() -> None:
    ended = _enter("auto", user=65534)
    assert ended.returncode == 0, ended.stderr
    rung, refusals = ended.stdout.splitlines()[0].split()
    assert rung in {"user-namespace", "sweep"}
    assert int(refusals) >= 1


def test_the_guard_keeps_only_what_it_is_told_to_keep() -> None:
    read_end, write_end = os.pipe()
    ended = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.hosts.real_cases", "sweep"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[write_end],
        env={**os.environ, MARKER: secrets.token_hex(8)},
    )
    assert ended.stdout is not None
    told = json.loads(ended.stdout.readline())
    os.close(write_end)
    assert not Path(f"/proc/{told['guard']}/fd/{write_end}").is_symlink()
    assert Path(f"/proc/{told['keeper']}/fd/{write_end}").is_symlink()
    ended.terminate()
    ended.communicate(timeout=SECONDS)
    assert os.read(read_end, 1) == b""
    os.close(read_end)
