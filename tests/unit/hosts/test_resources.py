"""What a process costs."""

from __future__ import annotations

import os
import sys

from clusterlib.hosts.resources import sample


def test_our_own_cost_is_plausible() -> None:
    mine = sample(os.getpid())
    assert mine is not None
    assert 1_000_000 < mine.pss <= mine.rss < 10_000_000_000
    assert mine.cpu_seconds > 0
    assert mine.threads >= 1
    assert mine.descriptors >= 3


def test_nobody_costs_nothing() -> None:
    assert sample(1 << 23) is None


def test_on_linux_psutil_stays_unloaded() -> None:
    import subprocess

    program = "import os, sys; from clusterlib.hosts.resources import sample; sample(os.getpid()); print('psutil' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.strip() == str(sys.platform != "linux")
