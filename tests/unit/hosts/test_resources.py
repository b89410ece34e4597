"""What a process costs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from clusterlib.hosts.belonging import children
from clusterlib.hosts.proc import LINUX, status
from clusterlib.hosts.resources import sample, sample_all
from clusterlib.messages.measurements import Sample
from clusterlib.waiting import Deadline, poll


def test_our_own_cost_is_plausible() -> None:
    mine = sample(os.getpid())
    assert mine is not None
    assert 1_000_000 < mine.pss <= mine.rss < 10_000_000_000
    assert mine.cpu_seconds > 0
    assert mine.threads >= 1
    assert mine.descriptors is not None
    assert mine.descriptors >= 3


def test_nobody_costs_nothing() -> None:
    assert sample(1 << 23) is None


def test_on_linux_psutil_stays_unloaded() -> None:
    program = "import os, sys; from clusterlib.hosts.resources import sample; sample(os.getpid()); print('psutil' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.strip() == str(sys.platform != "linux")


def test_what_a_process_has_started_counts_with_it() -> None:
    """Also from another thread, which the system counts as the parent; of the ended, their time."""
    program = """
import subprocess, sys, threading
use = "import sys; x = bytearray(30_000_000); print(flush=True); sys.stdin.read()"
def start():
    children.append(subprocess.Popen([sys.executable, "-c", use], stdout=subprocess.PIPE))
    children[-1].stdout.readline()
children = []
for work in (start, lambda: threading.Thread(target=start).start()):
    work()
subprocess.run([sys.executable, "-c", "sum(range(10**7))"], check=True)
while len(children) < 2: pass
print(flush=True); sys.stdin.read()
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as script:
        assert script.stdout is not None
        script.stdout.readline()
        alone, together = sample(script.pid), with_children(script.pid)
        assert alone is not None
        assert together is not None
        assert together.pss > alone.pss + 60_000_000
        assert together.threads > alone.threads
        assert poll(lambda: cpu_of(script.pid, with_children) > cpu_of(script.pid, sample) + 0.1, Deadline(5))
        script.communicate()


@pytest.mark.skipif(not LINUX, reason="only Linux shows such a process as a zombie")
def test_a_process_whose_main_thread_has_ended_costs_what_its_other_threads_use() -> None:
    program = """
import ctypes, sys, threading
kept = bytearray(30_000_000)
threading.Thread(target=sys.stdin.read).start()
ctypes.CDLL(None).pthread_exit(None)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as headless:

        def shown_as_zombie() -> bool:
            seen = status(headless.pid)
            return seen is not None and seen.state == "Z"

        assert poll(shown_as_zombie, Deadline(10))
        found = sample(headless.pid)
        headless.communicate()
    assert found is not None
    assert found.rss >= found.pss > 30_000_000
    assert found.descriptors is not None
    assert found.descriptors >= 3
    assert found.cpu_seconds > 0


@pytest.mark.skipif(not LINUX, reason="elsewhere nothing of it can be seen")
def test_a_process_of_another_user_counts_by_what_anybody_may_see_of_it() -> None:
    if os.geteuid() != 0:
        pytest.skip("takes root, who becomes somebody else")
    program = f"""
import os
from clusterlib.hosts.resources import sample, sample_all
other = {os.getpid()}
os.setgroups([]); os.setgid(65534); os.setuid(65534)
alone, together = sample(os.getpid()), sample_all([os.getpid(), other])
print(together.pss - alone.pss > 10_000_000, together.descriptors)
"""
    command = [sys.executable, "-c", program]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told.split() == ["True", "None"]


def with_children(pid: int) -> Sample | None:
    return sample_all([pid, *children(pid)])


def cpu_of(pid: int, look: Callable[[int], Sample | None]) -> float:
    seen = look(pid)
    return seen.cpu_seconds if seen else 0.0
