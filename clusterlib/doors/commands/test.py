"""Commands around test runs: what a run would do, and what one has left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlib.doors.commands.declaring import declare
from clusterlib.doors.commands.options import FOLDER, PROFILE

if TYPE_CHECKING:
    from clusterlib.doors.console import Console

__all__ = ["plan", "report"]

command = declare("test")


@command(PROFILE, takes_rest=True)
def plan(console: Console, *, profile: str | None) -> int:
    """Show which tests need which clusters, and start none. What follows `--` goes to pytest."""
    from clusterlib.operations.plan_tests import plan_tests

    with console.stdout_for_answer_only():
        planned = plan_tests(console.remainder, profile=profile, structured=console.json)
    console.answer(planned.to_dict(), lambda: None)
    return planned.exit_code


@command(FOLDER)
def report(console: Console, *, folder: str | None) -> None:
    """Make the report of a test run from its artifacts, whatever became of the run."""
    from clusterlib.doors import render
    from clusterlib.operations.report import make_report

    made = make_report(folder)
    console.answer(made.to_dict(), lambda: render.reported(console, made))
