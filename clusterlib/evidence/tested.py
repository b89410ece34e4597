"""When tests ran and how they ended, including those whose end could not be recorded."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from clusterlib.evidence.evidence import Evidence
from clusterlib.evidence.explained import Explained
from clusterlib.evidence.lanes import RunHistory
from clusterlib.evidence.names import base_name
from clusterlib.evidence.outcome import Outcome
from clusterlib.evidence.records import OfTest, Record, TestEnded, TestStarted, UsedCluster
from clusterlib.evidence.story import Tested, moment

__all__ = ["read_tests"]


def read_tests(evidence: Evidence, last: float, histories: Sequence[RunHistory]) -> tuple[Tested, ...]:
    """The tests in the order in which they began."""
    begun: dict[tuple[str, str], Record[TestStarted]] = {}
    unannounced: dict[str, Record[TestEnded]] = {}
    found: list[Tested] = []
    for record in evidence.of(OfTest):
        key = (record.worker, record.what.test)
        if isinstance(record.what, TestStarted):
            begun[key] = Record(record.time, record.worker, record.what)
        elif isinstance(record.what, TestEnded):
            end = Record(record.time, record.worker, record.what)
            if key in begun:
                found.append(_ended(end, begun.pop(key)))
            else:
                unannounced[key[1]] = end
    for (_, test), start in begun.items():
        # Where a worker crashed, another one records the end of its test.
        ended = unannounced.pop(test, None)
        found.append(
            _ended(ended, start) if ended is not None else _unended(start, evidence, last, histories)
        )
    found += [_ended(end, None) for end in unannounced.values()]
    found.sort(key=lambda test: (test.begin, test.end))
    return tuple(
        dataclasses.replace(test, number=number) for number, test in enumerate(_last_attempts(found), 1)
    )


def _last_attempts(tests: Sequence[Tested]) -> list[Tested]:
    """A failed test that its process has repeated, as pytest-rerunfailures does, has not failed
    yet."""
    last = {(test.worker, test.test): place for place, test in enumerate(tests)}
    return [
        test
        if last[test.worker, test.test] == place or not test.outcome.bad
        else dataclasses.replace(test, outcome=Outcome.RERUN)
        for place, test in enumerate(tests)
    ]


def _ended(record: Record[TestEnded], begun: Record[TestStarted] | None) -> Tested:
    what = record.what
    end = moment(record.time) or 0.0
    asked = moment(what.began)
    begin = moment(what.served) or moment(begun.time if begun else None) or asked
    if begin is None:
        begin = end - what.seconds
    first: OfTest = what if what.cluster or begun is None else begun.what
    return Tested(
        number=0,
        test=what.test,
        worker=begun.worker if begun else record.worker,
        cluster=first.cluster or "",
        run=base_name(what.run or (begun.what.run if begun else None)),
        begin=min(begin, end),
        end=end,
        outcome=what.outcome,
        message=what.message,
        file=what.file or "",
        line=what.line,
        explained=what.explained or Explained(),
        waited=max(0.0, begin - asked) if asked is not None else 0.0,
        also=_also(what.also or (begun.what.also if begun else ())),
        plain=what.plain,
    )


def _also(used: Iterable[UsedCluster]) -> tuple[tuple[str, str], ...]:
    return tuple((one.cluster, base_name(one.run)) for one in used if one.cluster or one.run)


def _unended(
    record: Record[TestStarted], evidence: Evidence, last: float, histories: Sequence[RunHistory]
) -> Tested:
    what, worker = record.what, record.worker
    begin = moment(record.time) or last
    cluster, run = what.cluster or "", base_name(what.run)
    over = {end.worker for end in evidence.ends}
    if worker in evidence.alive - over:
        outcome, message, end = Outcome.RUNNING, "It is running.", last
    else:
        outcome, end = Outcome.CUT, _last_sign(cluster, run, begin, last, histories)
        message = f"It was running when {_what_cut_it(worker, over, evidence)}."
    return Tested(
        number=0,
        test=what.test,
        worker=worker,
        cluster=cluster,
        run=run,
        begin=begin,
        end=max(begin, end),
        outcome=outcome,
        message=message,
        file=what.file or "",
        line=what.line,
        also=_also(what.also),
    )


def _what_cut_it(worker: str, over: set[str], evidence: Evidence) -> str:
    """Why a test has no end. A process that recorded its own end was neither killed, nor did it
    crash: it was interrupted, as after Ctrl-C."""
    if evidence.interrupted or worker in over:
        return "the run was interrupted"
    return f"its worker {worker} ended" if over or evidence.alive else "the run was killed"


def _last_sign(cluster: str, run: str, begin: float, last: float, histories: Sequence[RunHistory]) -> float:
    """The last time when the test surely ran. A cluster notices at once that its holder is gone.
    Without a cluster, the last record is the best sign."""
    ends = [
        history.end
        for history in histories
        if (history.cluster, history.run) == (cluster, run) and history.end > begin
    ]
    return min(ends, default=last)
