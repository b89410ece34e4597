"""Which cluster serves which test of this run, and in which order. Starts nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence

import pytest

from clusterlib.errors import ClusterError, NeedImpossible
from clusterlib.evidence.records import ScheduleRecorded
from clusterlib.leases.need import Need
from clusterlib.leases.pool import Pool
from clusterlib.leases.schedule import Asked, Schedule
from clusterlib.messages.codec import plain
from clusterlib.testing.declared import PARALLEL
from clusterlib.testing.needs import need_of_item, needs_shared
from clusterlib.testing.options import RunOptions, usage_error
from clusterlib.testing.shown import RunPlan
from clusterlib.values.choices import WorkerClusters

__all__ = ["FAULT", "NEED", "PlanOnly", "Unusable", "plan_run"]

NEED = pytest.StashKey[Need | None]()
"""The need of the test; None: no cluster before it starts one itself.

Tests without the key are not distributed."""
FAULT = pytest.StashKey[NeedImpossible]()
"""Why the test can never be served."""


def plan_run(
    config: pytest.Config, pool: Pool, items: Sequence[pytest.Item], wanted: Sequence[pytest.Item]
) -> tuple[Schedule, ScheduleRecorded]:
    """The schedule, and the same for the record.

    Each distributed test gets its need, or the reason why it cannot be served."""
    chosen = set(map(id, wanted))
    asked = [_asked(item) if id(item) in chosen else Asked(item.nodeid) for item in items]
    try:
        schedule = pool.schedule(asked)
    except ClusterError as error:
        raise usage_error(error) from error
    for place, fault in (schedule.impossible or {}).items():
        items[place].stash[FAULT] = fault
    private = [item.nodeid for item in wanted if NEED in item.stash and item.stash[NEED] is None]
    planned = schedule.recorded(private, total=len(items), distributed=len(wanted))
    _write(config, planned)
    return schedule, planned


class PlanOnly:
    """The run of --cluster-plan: the plan is printed, and nothing runs."""

    def __init__(self, config: pytest.Config, said: RunOptions) -> None:
        self._config = config
        self._pool = Pool(said.project, said.settings)
        self._each = config.stash.get(PARALLEL, False) and said.tests.workers is WorkerClusters.EACH
        self._planned = ScheduleRecorded()

    def plan(self, items: Sequence[pytest.Item], wanted: Sequence[pytest.Item]) -> Sequence[int]:
        schedule, self._planned = plan_run(self._config, self._pool, items, wanted)
        return schedule.order

    @property
    def shown_plan(self) -> RunPlan:
        return RunPlan(self._planned, whole=True, each_worker=self._each)

    @property
    def summary(self) -> None:
        """Nothing has run."""

    def begin_tests(self) -> None:
        pass

    def before(self, item: pytest.Item) -> None:
        pass

    @contextlib.contextmanager
    def finishing(self, session: pytest.Session) -> Iterator[None]:
        yield
        if session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK


class Unusable:
    """The run of a worker of pytest-xdist with invalid settings.

    Its tests report this, because an error would look like a crash."""

    def __init__(self, error: pytest.UsageError, wanted: Sequence[pytest.Item]) -> None:
        self._error = error
        self._tests = set(map(id, wanted))
        self.shown_plan = self.summary = None

    def begin_tests(self) -> None:
        pass

    def before(self, item: pytest.Item) -> None:
        if id(item) in self._tests:
            pytest.fail(str(self._error), pytrace=False)

    def finishing(self, session: pytest.Session) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002 - as the others
        return contextlib.nullcontext()


def _asked(item: pytest.Item) -> Asked:
    try:
        asked = need_of_item(item)
        need = item.stash[NEED] = asked if needs_shared(item) else None
    except NeedImpossible as error:
        return Asked(item.nodeid, fault=error)
    return Asked(item.nodeid, need)


def _write(config: pytest.Config, planned: ScheduleRecorded) -> None:
    given = getattr(config, "workerinput", {"workerid": "gw0"})
    if config.option.cluster_plan_to and given["workerid"] == "gw0":  # all workers have the same plan
        target = config.invocation_params.dir / config.option.cluster_plan_to
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(plain(planned), indent=2) + "\n")
