"""Which tests ran when and how they ended: also those of whose end nobody could write."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from clusterlib.evidence.evidence import Evidence
from clusterlib.evidence.explained import read_explained
from clusterlib.evidence.facts import base_name, real, whole
from clusterlib.evidence.lanes import Diary
from clusterlib.evidence.recorder import Record, clusters_in
from clusterlib.evidence.story import Outcome, Tested, moment

__all__ = ["read_tests", "was_interrupted"]

INTERRUPTED = 2
"""How pytest says it: Ctrl-C, or `pytest.exit()` without a code of its own."""


def read_tests(evidence: Evidence, last: float, diaries: Sequence[Diary]) -> tuple[Tested, ...]:
    """In the order in which they began."""
    begun: dict[tuple[str, str], Record] = {}
    unannounced: dict[str, Record] = {}
    found: list[Tested] = []
    for record in evidence.of("test.started", "test.ended"):
        key = (record["worker"], str(record.get("test", "")))
        if record["kind"] == "test.started":
            begun[key] = record
        elif key in begun:
            found.append(_ended(record, begun.pop(key)))
        else:
            unannounced[key[1]] = record
    for (worker, test), record in begun.items():
        # The end of a test whose worker crashed is told by another.
        end = unannounced.pop(test, None)
        found.append(
            _ended(end, record) if end is not None else _unended(record, worker, evidence, last, diaries)
        )
    found += [_ended(record, {}) for record in unannounced.values()]
    found.sort(key=lambda test: (test.begin, test.end))
    return tuple(
        dataclasses.replace(test, number=number) for number, test in enumerate(_last_attempts(found), 1)
    )


def _last_attempts(tests: Sequence[Tested]) -> list[Tested]:
    """What a process has run again, as pytest-rerunfailures does, has not failed yet."""
    last = {(test.worker, test.test): place for place, test in enumerate(tests)}
    return [
        test
        if last[test.worker, test.test] == place or not test.outcome.bad
        else dataclasses.replace(test, outcome=Outcome.RERUN)
        for place, test in enumerate(tests)
    ]


def _ended(record: Record, begun: Record) -> Tested:
    end = moment(record["time"]) or 0.0
    asked = moment(record.get("began"))
    begin = moment(record.get("served")) or moment(begun.get("time")) or asked
    if begin is None:
        begin = end - (real(record.get("seconds")) or 0.0)
    return Tested(
        number=0,
        test=str(record.get("test", "")),
        worker=str(begun.get("worker", record["worker"])),
        cluster=str(record.get("cluster") or begun.get("cluster") or ""),
        run=base_name(record.get("run") or begun.get("run")),
        begin=min(begin, end),
        end=end,
        outcome=_outcome(record.get("outcome")),
        message=str(record.get("message") or ""),
        file=str(record.get("file") or ""),
        line=whole(record.get("line")),
        explained=read_explained(record.get("explained")),
        waited=max(0.0, begin - asked) if asked is not None else 0.0,
        also=_also(record) or _also(begun),
        plain=record.get("plain") is True,
    )


def _also(record: Record) -> tuple[tuple[str, str], ...]:
    return tuple((cluster, base_name(run)) for cluster, run in clusters_in({"also": record.get("also")}))


def _unended(
    record: Record, worker: str, evidence: Evidence, last: float, diaries: Sequence[Diary]
) -> Tested:
    begin = moment(record["time"]) or last
    cluster, run = str(record.get("cluster") or ""), base_name(record.get("run"))
    over = {record["worker"] for record in evidence.of("run.ended")}
    if worker in evidence.alive - over:
        outcome, message, end = Outcome.RUNNING, "It is running.", last
    else:
        outcome, end = Outcome.CUT, _last_sign(cluster, run, begin, last, diaries)
        message = f"It was running when {_what_cut_it(worker, over, evidence)}."
    return Tested(
        number=0,
        test=str(record.get("test", "")),
        worker=worker,
        cluster=cluster,
        run=run,
        begin=begin,
        end=max(begin, end),
        outcome=outcome,
        message=message,
        file=str(record.get("file") or ""),
        line=whole(record.get("line")),
        also=_also(record),
    )


def _what_cut_it(worker: str, over: set[str], evidence: Evidence) -> str:
    """A process that has recorded its end was neither killed nor has it crashed: it broke off, as after Ctrl-C."""
    if was_interrupted(evidence) or worker in over:
        return "the run was interrupted"
    return f"its worker {worker} ended" if over or evidence.alive else "the run was killed"


def was_interrupted(evidence: Evidence) -> bool:
    """Whether the process that leads the run broke off in a test, or says that it was interrupted."""
    leader = evidence.start.get("worker")
    ends = [record for record in evidence.of("run.ended") if record["worker"] == leader]
    if not ends:
        return False
    began = {str(record.get("test")) for record in evidence.of("test.started") if record["worker"] == leader}
    ended = {str(record.get("test")) for record in evidence.of("test.ended")}
    return ends[-1].get("exit_code") == INTERRUPTED or bool(began - ended)


def _last_sign(cluster: str, run: str, begin: float, last: float, diaries: Sequence[Diary]) -> float:
    """A cluster notices at once when whoever held it is gone; without one, nobody knows better than the last record."""
    ends = [
        diary.end for diary in diaries if (diary.cluster, diary.run) == (cluster, run) and diary.end > begin
    ]
    return min(ends, default=last)


def _outcome(text: Any) -> Outcome:
    try:
        return Outcome(str(text))
    except ValueError:
        return Outcome.ERROR
