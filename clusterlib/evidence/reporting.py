"""Makes all files of an artifacts folder from the records: copies of the clusters' files, JUnit,
summary, report.

This works at any time and repeatedly: during the run, at its end, after it was killed. Each file is
replaced as a whole, so a reader never gets half of one."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

from clusterlib.evidence.artifacts import ENVIRONMENT, PLAN
from clusterlib.evidence.building import build_story
from clusterlib.evidence.collecting import Collector
from clusterlib.evidence.evidence import Evidence, named_runs, read_evidence
from clusterlib.evidence.junit import write_junit
from clusterlib.evidence.machine import Environment, describe_environment
from clusterlib.evidence.recorder import read_records
from clusterlib.evidence.records import Record, Recorded, ScheduleRecorded
from clusterlib.evidence.redaction import Redactor, redactor_for
from clusterlib.evidence.report import write_report
from clusterlib.evidence.story import Story
from clusterlib.evidence.summary import write_summary
from clusterlib.evidence.tests_junit import write_missing_junit
from clusterlib.messages.codec import plain, salvage

__all__ = ["Artifacts", "finish"]

SHARE = 0.02
"""At most this share of the run's time is spent on reports during the run."""


class Artifacts:
    """An artifacts folder in the making."""

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._environ = os.environ if environ is None else environ
        self._collector = Collector(folder)
        self._spent = 0.0
        self._done = 0.0

    def refresh(self) -> Story | None:
        """After a test: updates everything, unless that was done a moment ago and would slow the
        tests down.

        `finish` makes up for what was left out, or a later report on the records of a killed run.
        """
        if self._done and time.monotonic() - self._done < self._spent / SHARE:
            return None
        return self.finish()

    def finish(self, *, junit: bool = False) -> Story:
        """`junit`: also of the tests, where pytest has not written that itself."""
        began = time.monotonic()
        story = self._make(junit)
        self._done = time.monotonic()
        self._spent = self._done - began
        return story

    def _make(self, junit: bool) -> Story:
        folder = self.folder
        records = read_records(folder)
        runs = named_runs(records)
        redactor = redactor_for(runs, self._environ)
        for run, cluster in runs.items():
            self._collector.collect(cluster, run, redactor)
        evidence = read_evidence(folder, [_cleaned(record, redactor) for record in records])
        story = build_story(evidence)
        write_summary(folder, story)
        environment = self._environment(evidence, redactor)
        _write_plan(folder, evidence)
        write_junit(folder, evidence)
        if junit:
            write_missing_junit(folder, story)
        write_report(folder, story, evidence, environment)
        return story

    def _environment(self, evidence: Evidence, redactor: Redactor) -> Environment:
        """Described once, by the run itself: a report that is made later, perhaps elsewhere,
        changes nothing about it."""
        try:
            return salvage(Environment, json.loads(ENVIRONMENT.in_(self.folder).read_bytes()))
        except (OSError, ValueError):
            environment = describe_environment(evidence, redactor, self._environ)
        ENVIRONMENT.write(self.folder, _json(plain(environment)))
        return environment


def finish(folder: Path | str, environ: Mapping[str, str] | None = None, *, junit: bool = False) -> Story:
    """Updates an artifacts folder once.

    `junit`: also that of the tests, if pytest has not written it."""
    return Artifacts(Path(folder), environ).finish(junit=junit)


def _cleaned(record: Record[Recorded], redactor: Redactor) -> Record[Recorded]:
    """A process that reports later may know more secrets than the one that wrote the record."""
    return Record.of(redactor.value(record.to_dict())) or record


def _write_plan(folder: Path, evidence: Evidence) -> None:
    """Which tests were to be served by which cluster, as the schedule was last made."""
    schedules = list(evidence.of(ScheduleRecorded))
    if schedules:
        data = schedules[-1].to_dict()
        shown = {key: value for key, value in data.items() if key not in {"kind", "worker"}}
        PLAN.write(folder, _json(shown))


def _json(data: object) -> str:
    return json.dumps(data, indent=1) + "\n"
