"""summary.json: what a script wants to know of a run."""

from __future__ import annotations

import json
from pathlib import Path

from clusterlib.evidence.artifacts import SUMMARY
from clusterlib.evidence.story import Story, Tested, stamp
from clusterlib.evidence.verdict import judge
from clusterlib.messages.codec import plain

__all__ = ["write_summary"]


def write_summary(folder: Path, story: Story) -> None:
    verdict = judge(story)
    summary = {
        "verdict": verdict.sentence,
        "tone": verdict.tone,
        "began": stamp(story.began),
        "ended": stamp(story.ended),
        "seconds": round(story.ended - story.began, 6),
        "going": story.going,
        "killed": story.killed,
        "interrupted": story.interrupted,
        "exit_code": story.exit_code,
        "tests": {"total": story.total, **story.counts},
        "failures": [
            {
                **_test(failure.tested),
                "cause": failure.cause or None,
                "did": failure.did or None,
                "remedies": list(failure.remedies),
            }
            for failure in story.failures
        ],
        "troubles": [{**plain(trouble), "time": stamp(trouble.time)} for trouble in story.troubles],
        "clusters": [
            {**plain(served), "begin": stamp(served.begin), "end": stamp(served.end)}
            for served in story.clusters
        ],
    }
    SUMMARY.write(folder, json.dumps(summary, indent=1) + "\n")


def _test(test: Tested) -> dict[str, object]:
    return {
        "test": test.test,
        "outcome": str(test.outcome),
        "seconds": round(test.seconds, 6),
        "message": test.message,
        "file": test.file or None,
        "line": test.line,
        "cluster": test.cluster or None,
        "run": test.run or None,
        "also": [{"cluster": cluster, "run": run} for cluster, run in test.also],
        "worker": test.worker,
    }
