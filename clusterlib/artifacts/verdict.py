"""The whole story in one sentence, and a second one that says how it went otherwise."""

from __future__ import annotations

from clusterlib.artifacts.story import Failure, Outcome, Story, Trouble, duration
from clusterlib.frozen import frozen

__all__ = ["Verdict", "judge"]

TESTS_FAILED = 1
"""How pytest says it. Tests without a cluster are in junit.xml, and in no record."""


@frozen
class Verdict:
    tone: str
    """good, bad or open."""
    sentence: str
    besides: str


def judge(story: Story) -> Verdict:
    known = story.exit_code is not None or story.going
    if not (known or story.tests or story.troubles or story.clusters):
        return Verdict("open", "Nothing is known of this run.", "Its records are missing or empty.")
    tone, sentence = _went_wrong(story) or _went_well(story)
    return Verdict(tone, sentence, _besides(story))


def _went_wrong(story: Story) -> tuple[str, str] | None:
    bad = [failure for failure in story.failures if failure.tested.outcome is not Outcome.CUT]
    cut = story.count(Outcome.CUT)
    starts = [trouble for trouble in story.troubles if trouble.then]
    start = max(starts, key=lambda trouble: trouble.tests, default=None)  # the first of those that cost most
    told = None
    if bad:
        told = _failed(story, bad, start)
    elif cut:
        told = f"{'The run was killed' if story.killed else 'A worker ended'} {_while_running(cut)}."
    elif story.killed:
        told = "The run was killed before it ended."
    elif start is not None and (start.tests or not story.tests):
        told = _no_cluster(start)
    elif story.exit_code == TESTS_FAILED and story.total and not story.troubles:
        told = f"{_passed(story)}; what made the run fail used no cluster."
    elif story.exit_code:
        told = f"{_passed(story)}, but the run ended with exit code {story.exit_code}."
    return ("bad", told) if told is not None else None


def _went_well(story: Story) -> tuple[str, str]:
    if story.going:
        return "open", f"So far, {_lower(_passed(story))}."
    return "good", f"{_passed(story)}."


def _failed(story: Story, bad: list[Failure], start: Trouble | None) -> str:
    total, failed = story.total, len(bad)
    count = "The only test failed" if total == failed == 1 else f"{failed} of {total} tests failed"
    if story.going:
        count = f"So far, {_lower(count)}"
    if story.killed:
        count = f"{count} before the run was killed"
    elif cut := story.count(Outcome.CUT):
        count = f"{count}, and a worker ended {_while_running(cut)}"
    told = next((failure for failure in bad if failure.culprit is not None), None)
    if told is None or told.culprit is None:
        return f"{count}; {_no_cluster(start)}" if start is not None and start.tests else f"{count}."
    culprit = told.culprit
    cause = told.cause.replace(culprit.node, f"{culprit.node} of cluster {culprit.cluster}", 1)
    if not culprit.node:
        cause = f"{told.cause} (cluster {culprit.cluster})"
    which = (
        ""
        if failed == 1
        else f" {told.tested.test.rpartition('::')[2]}"
        if told is not bad[0]
        else " the first"
    )
    return f"{count}; {cause}{which}."


def _while_running(tests: int) -> str:
    return f"while {'a test was' if tests == 1 else f'{tests} tests were'} running"


def _no_cluster(trouble: Trouble) -> str:
    problem = trouble.problem.rstrip(".")
    cost = f"{_tests(trouble.tests)} got no cluster" if trouble.tests else "No cluster started"
    return f"{cost}: {problem}."


def _passed(story: Story) -> str:
    total, passed = story.total, story.count(Outcome.PASSED)
    if not total:
        return "No test used a cluster"
    if passed == total:
        return "The test passed" if total == 1 else f"All {total} tests passed"
    skipped = story.count(Outcome.SKIPPED)
    if passed + skipped == total and not passed:
        return "The test was skipped" if total == 1 else f"All {total} tests were skipped"
    return f"{_tests(passed)} passed" + (f", {skipped} skipped" if skipped else "")


def _besides(story: Story) -> str:
    told = []
    served = [cluster for cluster in story.clusters if cluster.start_seconds is not None]
    if served:
        slowest = max(served, key=lambda cluster: cluster.start_seconds or 0.0)
        many = f"{len(served)} clusters" if len(served) > 1 else f"Cluster {slowest.cluster}"
        each = ", the slowest" if len(served) > 1 else ""
        told.append(f"{many} started{each} in {duration(slowest.start_seconds or 0.0)}")
    troubles = len(story.troubles)
    if troubles:
        told.append(
            "one problem outside of tests" if troubles == 1 else f"{troubles} problems outside of tests"
        )
    again = story.count(Outcome.RERUN)
    if again:
        told.append("one attempt was run again" if again == 1 else f"{again} attempts were run again")
    healed = sum(cluster.healed for cluster in story.clusters)
    if healed:
        told.append("healed once" if healed == 1 else f"healed {healed} times")
    besides = ", ".join(told)
    return (
        f"{besides[:1].upper()}{besides[1:]}; {duration(story.ended - story.began)} in all." if told else ""
    )


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
