"""`python -m clusterlib.doors TASK ...`: the tasks where no tasks.py is, as in a Nox session or a CI job."""

from __future__ import annotations

import sys

from invoke.program import Program

from clusterlib import __version__
from clusterlib.doors.console import Console
from clusterlib.doors.exits import FAILED
from clusterlib.doors.tasks import namespace

if __name__ == "__main__":
    program = Program(
        name="clusterlib", binary="python -m clusterlib.doors", namespace=namespace, version=__version__
    )
    try:
        program.run()
    except BrokenPipeError:  # of --list and --help; tasks see to it themselves
        Console().abandon()
        sys.exit(FAILED)
