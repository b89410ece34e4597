"""The result of a run in one sentence: a headline with its explanation.

A second sentence covers the rest."""

from __future__ import annotations

from clusterlib.evidence.outcome import Outcome
from clusterlib.evidence.story import Failure, Story, Trouble, duration
from clusterlib.frozen import frozen

__all__ = ["Verdict", "judge"]

LONGEST_NAME = 60


@frozen
class Verdict:
    tone: str
    """good, bad or open."""
    headline: str
    """A few words, which take two lines of a phone at most."""
    because: str
    """A clause that explains the headline, or nothing."""
    besides: str
    joint: str = "; "

    @property
    def sentence(self) -> str:
        return f"{self.headline}{self.joint}{self.because}." if self.because else f"{self.headline}."


def judge(story: Story) -> Verdict:
    known = story.exit_code is not None or story.going
    if not (known or story.tests or story.troubles or story.clusters):
        return Verdict("open", "Nothing is known of this run", "", "Its records are missing or empty.")
    besides = _besides(story)
    wrong = _went_wrong(story, besides)
    if wrong is not None:
        return wrong
    if story.going:
        return Verdict("open", f"So far, {_lower(_passed(story))}", "", besides)
    return Verdict("good", _passed(story), "", besides)


def _went_wrong(story: Story, besides: str) -> Verdict | None:
    bad = [failure for failure in story.failures if failure.tested.outcome is not Outcome.CUT]
    cut = story.count(Outcome.CUT)
    starts = [trouble for trouble in story.troubles if trouble.then]
    start = max(starts, key=lambda trouble: trouble.tests, default=None)  # the first of those that cost most
    if bad:
        return Verdict("bad", _failed(story, bad), _because(story, bad, start), besides)
    if cut:
        return Verdict("bad", f"{_what_cut(story)} {_while_running(cut)}", "", besides)
    if story.killed:
        return Verdict("bad", "The run was killed before it ended", "", besides)
    if start is not None and (start.tests or not story.tests):
        headline = f"{_tests(start.tests)} got no cluster" if start.tests else "No cluster started"
        return Verdict("bad", headline, _problem(start), besides, ": ")
    if story.exit_code:
        cause = f"the run ended with exit code {story.exit_code}"
        cause = "the run was interrupted" if story.interrupted else cause
        return Verdict("bad", _passed(story), cause, besides)
    return None


def _failed(story: Story, bad: list[Failure]) -> str:
    total, failed = story.total, len(bad)
    count = "The only test failed" if total == failed == 1 else f"{failed} of {total} tests failed"
    if any(test.plain for test in story.tests):
        count = f"{_tests(failed)} failed"  # the others that need no cluster are not known
    if story.going:
        count = f"So far, {_lower(count)}"
    return f"{count} before the run was killed" if story.killed else count


def _because(story: Story, bad: list[Failure], start: Trouble | None) -> str:
    """The known cause of the failures; empty if none is known."""
    causes = []
    cut = story.count(Outcome.CUT)
    if cut and not story.killed:
        causes.append(f"{_lower(_what_cut(story))} {_while_running(cut)}")
    failure = next((failure for failure in bad if failure.culprit is not None), None)
    if failure is not None and failure.culprit is not None:
        culprit, name = failure.culprit, _name(failure.tested.test)
        cause = failure.cause_of("it" if len(bad) == 1 else name)
        causes.append(cause.replace(culprit.node, f"{culprit.node} of cluster {culprit.cluster}", 1))
    elif start is not None and start.tests:
        causes.append(f"{_tests(start.tests)} got no cluster: {_problem(start)}")
    return "; ".join(causes)


def _name(test: str) -> str:
    name = test.rpartition("::")[2]
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."


def _what_cut(story: Story) -> str:
    if story.killed:
        return "The run was killed"
    return "The run was interrupted" if story.interrupted else "A worker ended"


def _while_running(tests: int) -> str:
    return f"while {'a test was' if tests == 1 else f'{tests} tests were'} running"


def _problem(trouble: Trouble) -> str:
    return trouble.problem.rstrip(".")


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
    facts = []
    served = [cluster for cluster in story.clusters if cluster.start_seconds is not None]
    if served:
        slowest = max(served, key=lambda cluster: cluster.start_seconds or 0.0)
        many = f"{len(served)} clusters" if len(served) > 1 else f"Cluster {slowest.cluster}"
        each = ", the slowest" if len(served) > 1 else ""
        facts.append(f"{many} started{each} in {duration(slowest.start_seconds or 0.0)}")
    troubles = len(story.troubles)
    if troubles:
        facts.append(
            "one problem outside of tests" if troubles == 1 else f"{troubles} problems outside of tests"
        )
    again = story.count(Outcome.RERUN)
    if again:
        facts.append("one attempt was run again" if again == 1 else f"{again} attempts were run again")
    healed = sum(cluster.healed for cluster in story.clusters)
    if healed:
        facts.append("healed once" if healed == 1 else f"healed {healed} times")
    besides = ", ".join(facts)
    return (
        f"{besides[:1].upper()}{besides[1:]}; {duration(story.ended - story.began)} in all." if facts else ""
    )


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
