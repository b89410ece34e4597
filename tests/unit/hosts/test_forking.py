"""Work in a fork, which has nothing of the terminal of its parent.

The fork is made by a process of its own, because a process may do so only as long as it has one
thread."""

from __future__ import annotations

import subprocess
import sys

STORY = """
import os
from clusterlib.hosts.forking import fork

def work(answers):
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
        terminal = "a terminal"
    except OSError:
        terminal = "no terminal"
    own = os.getsid(0) == os.getpid() == os.getpgrp()
    os.write(answers, f"{terminal}, a session of its own: {own}".encode())

child = fork(work)
print(os.read(child.answers, 100).decode())
child.close()
"""


def test_a_fork_has_a_session_of_its_own_and_no_terminal() -> None:
    done = subprocess.run([sys.executable, "-c", STORY], capture_output=True, text=True, check=True)

    assert done.stdout == "no terminal, a session of its own: True\n"
