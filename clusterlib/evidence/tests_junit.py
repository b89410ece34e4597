"""Makes the JUnit file of the tests from the records, for a run whose pytest was killed, or that
was not a run of pytest."""

from __future__ import annotations

from pathlib import Path

from clusterlib.evidence.artifacts import JUNIT
from clusterlib.evidence.junit import Case, Suite, to_xml
from clusterlib.evidence.outcome import Outcome
from clusterlib.evidence.story import Failure, PrintedLines, Story, Tested, clock, stamp

__all__ = ["is_recorded", "write_missing_junit"]

NAME = "recorded tests"
"""The name of the suite. It identifies a file of ours, which may be replaced."""


def write_missing_junit(folder: Path, story: Story) -> None:
    """A file that pytest wrote itself contains more and is kept."""
    path = JUNIT.in_(folder)
    if path.exists() and not is_recorded(path):
        return
    failures = {failure.tested.number: failure for failure in story.failures}
    cases = tuple(
        _case(tested, failures.get(tested.number))
        for tested in story.tests
        if tested.outcome is not Outcome.RERUN
    )
    if cases:
        began = stamp(min(tested.begin for tested in story.tests))
        JUNIT.write(folder, to_xml([Suite(NAME, cases, began)]))


def is_recorded(path: Path) -> bool:
    """Whether this file was made here, from records."""
    try:
        return NAME.encode() in path.read_bytes()
    except OSError:
        return False


def _case(tested: Tested, failure: Failure | None) -> Case:
    group, name = _names(tested.test)
    if tested.outcome is Outcome.SKIPPED:
        return Case(name, group, tested.seconds, skipped=tested.message or "skipped")
    if not tested.outcome.bad and tested.outcome is not Outcome.RUNNING:
        return Case(name, group, tested.seconds)
    message = tested.message or "it never ended: what ran it was killed or interrupted, or runs it still"
    body = tested.explained.traceback or message
    parts = [f"{stacks.title}\n{stacks.text}" for stacks in tested.explained.stacks]
    parts += [_said(part) for part in failure.said] if failure is not None else []
    said = "\n\n".join(parts)
    return Case(
        name, group, tested.seconds, failure=(str(tested.outcome), message.splitlines()[0], body), output=said
    )


def _said(part: PrintedLines) -> str:
    """What a node printed during the test."""
    before = [f"... {part.left_out} earlier lines are in {part.file}"] if part.left_out else []
    lines = [f"{clock(line.time)} {line.text}" for line in part.lines]
    return "\n".join([f"{part.node}, during this test", *before, *lines])


def _names(test: str) -> tuple[str, str]:
    """Names as pytest writes them: `tests.test_shop.TestCart` and `test_total[3]`.

    A command is its own name."""
    whole, bracket, parameters = test.partition("[")
    place, *inside = whole.split("::")
    if not inside:
        return "command", test
    return ".".join(
        [place.removesuffix(".py").replace("/", "."), *inside[:-1]]
    ), f"{inside[-1]}{bracket}{parameters}"
