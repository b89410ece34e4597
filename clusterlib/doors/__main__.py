"""`python -m clusterlib.doors TASK ...`: the tasks where no tasks.py is, as in a Nox session or a CI job."""

from __future__ import annotations

from invoke.program import Program

from clusterlib import __version__
from clusterlib.doors.tasks import namespace

if __name__ == "__main__":
    Program(
        name="clusterlib", binary="python -m clusterlib.doors", namespace=namespace, version=__version__
    ).run()
