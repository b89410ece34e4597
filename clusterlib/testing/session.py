"""One run of tests in one process: what each test needs, their order, and their clusters.

`begin` is called when the tests that run are known, `before` and the teardown around each test, and
`finishing` at the end."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import pytest

from clusterlib.client.cluster import Cluster
from clusterlib.client.watching import unwatched, watch_clusters
from clusterlib.errors import ClusterError
from clusterlib.evidence.recorder import Recorder
from clusterlib.evidence.records import PreflightRecorded, RunEnded, ScheduleRecorded
from clusterlib.frozen import replace
from clusterlib.leases.lease import ClusterLease, Unserved
from clusterlib.leases.need import Need
from clusterlib.leases.pool import Pool
from clusterlib.leases.schedule import Schedule
from clusterlib.messages.codec import plain
from clusterlib.messages.findings import CheckOutcome, Finding
from clusterlib.messages.recorded import RecordedError
from clusterlib.testing import junit
from clusterlib.testing.declared import FORBIDDEN, RUN, SKIPPED, wants_all
from clusterlib.testing.folder import ReportFolder
from clusterlib.testing.given import Display, Examiner
from clusterlib.testing.needs import need_of_item
from clusterlib.testing.options import RunOptions, read_options
from clusterlib.testing.outcome import TestOutcome
from clusterlib.testing.place import place_of, project_of, worker_of
from clusterlib.testing.planning import FAULT, NEED, PlanOnly, Unusable, plan_run
from clusterlib.testing.private import OUTCOME, Factory, OwnClusters
from clusterlib.testing.refusals import Refusals
from clusterlib.testing.report import RunReport
from clusterlib.testing.sections import sections, stack_sections, timed_out
from clusterlib.testing.serving import put_into_environment, resized, serve_with
from clusterlib.testing.sharing import read_name
from clusterlib.testing.shown import RunPlan, RunSummary, TestRun
from clusterlib.testing.tally import ForcedFailure, Tally, WorkerResult
from clusterlib.testing.tracebacks import Tracebacks
from clusterlib.testing.unserved import is_skipped_by_unittest
from clusterlib.values.choices import WorkerClusters

__all__ = ["Run", "begin", "lease_for", "run_of", "run_of_session"]

COUNTED = pytest.StashKey[bool]()


def begin(
    session: pytest.Session, wanted: Sequence[pytest.Item], display: Display, examiner: Examiner
) -> None:
    """Makes the plan and orders the tests, once those that run are known. Starts nothing."""
    config = session.config
    run: TestRun
    try:
        said = read_options(config, project_of(config))
        planned = (
            PlanOnly(config, said) if config.option.cluster_plan else Run(config, said, display, examiner)
        )
        run, order = planned, planned.plan(session.items, wanted)
    except pytest.UsageError as error:
        if not hasattr(config, "workerinput"):
            raise
        run, order = Unusable(error, wanted), range(len(session.items))
    config.stash[RUN] = run
    if isinstance(run, Run):
        serve_with(run)
        config.pluginmanager.register(run.refusals, "clusterlib-refusals")
    config.pluginmanager.register(run, "clusterlib-run")
    config.pluginmanager.register(Tracebacks(), "clusterlib-tracebacks")
    config.pluginmanager.register(junit.JUnitOutput(config), "clusterlib-logs")
    session.items[:] = [session.items[place] for place in order]


class Run:
    """What the plugin holds while tests run. Its methods with pytest's names are hooks."""

    def __init__(self, config: pytest.Config, said: RunOptions, display: Display, examiner: Examiner) -> None:
        self._config = config
        self._said = said
        self._worker = worker_of(config)
        self._display = display
        self._examiner = examiner
        self._folder = ReportFolder(place_of(config), config)
        self._folder.open()
        self._record = Recorder(self._folder.path, self._worker)
        self._report = RunReport(self._folder, said.tests.artifacts, self._record)
        self._tally = Tally()
        self._schedule = Schedule(())
        self._pool = self._new_pool()
        self._plan = ScheduleRecorded()
        self._unshared: ClusterError | None = None
        """Why the workers cannot share a cluster, although they must."""
        self._left: dict[str, int] = {}
        """How many tests of each profile are still to come."""
        self._item: pytest.Item | None = None
        self._lease: ClusterLease | None = None
        self._outside: dict[str, str | None] = {}
        """The environment before the test got a cluster."""
        self.refusals = Refusals(lambda: self._pool.usage, self._record)
        self.own = OwnClusters(lambda: self._pool, self._display, self.refusals.error)
        self._stop_watching = watch_clusters(self.own.handed_out)
        self._record.begin(said.project, said.machine)

    def _new_pool(self) -> Pool:
        return Pool(
            self._said.project,
            self._said.settings,
            worker=self._worker,
            record=self._record,
            on_event=self._display.event,
            diagnose=self._diagnose,
        )

    # -- before the first test

    def plan(self, items: Sequence[pytest.Item], wanted: Sequence[pytest.Item]) -> Sequence[int]:
        """The order in which the tests run, as their positions."""
        self._schedule, self._plan = plan_run(self._config, self._pool, items, wanted)
        for item in wanted:
            need = item.stash.get(NEED, None)
            if need is not None and FAULT not in item.stash:
                profile = self._profile(need)
                self._left[profile] = self._left.get(profile, 0) + 1
        self._pool.expect(self._schedule)
        self._record(self._plan)
        return self._schedule.order

    @property
    def shown_plan(self) -> RunPlan:
        return RunPlan(self._plan, notes=self._folder.notes)

    def begin_tests(self) -> None:
        if self._worker != "main" and self._said.tests.workers is WorkerClusters.SHARED:
            self._agree_on_name()
        if self._report.always:
            self._look_at_machine(self._pool.default_profile)
            if self._worker == "main":
                self._report.refresh(urgent=True)
        if self._config.option.force_cluster:
            self._force()

    def _agree_on_name(self) -> None:
        """Reads the name that the controller reserves for all workers before they run a test."""
        try:
            name = read_name(self._folder.path)
        except ClusterError as error:
            self._unshared = error
            return
        self._said = replace(self._said, settings=replace(self._said.settings, shared_name=name))
        self._pool = self._new_pool()
        self._pool.expect(self._schedule)

    def _force(self) -> None:
        try:
            with self._display.waiting("the first test", "the cluster of --force-cluster"):
                lease = self._acquire(Need(), "--force-cluster")
        except Unserved as unserved:
            error = RecordedError.of(unserved.error)
            self._tally.forced = ForcedFailure(error, unserved.may_skip)
            self._pool.usage.forget_one(error)  # no test was hit by it
            return
        os.environ.update(lease.environment)
        lease.release()

    # -- around each test

    def before(self, item: pytest.Item) -> None:
        """Gets a cluster for this test, or the reason why there is none, if the test needs one."""
        self.own.begin_test()
        self.refusals.begin_test()
        if (NEED not in item.stash and FAULT not in item.stash) or _is_skipped(item):
            return
        self._item = item
        former = item.stash.get(OUTCOME, None)  # a plugin may repeat a failed test
        outcome = item.stash[OUTCOME] = TestOutcome(item, self._said.project)
        outcome.again = former is not None and former.bad
        try:
            if FAULT in item.stash:
                pytest.fail(str(item.stash[FAULT]), pytrace=False)
            need = item.stash[NEED]
            if need is not None:
                outcome.uses(self._take(item, need).cluster)
            self.own.heal(item)
        finally:
            self._record(outcome.started())

    def _take(self, item: pytest.Item, need: Need) -> ClusterLease:
        try:
            with self._display.waiting(item.nodeid, f"a cluster: {need}"):
                again = OUTCOME in item.stash and item.stash[OUTCOME].again
                lease = self._lease = self._acquire(need, item.nodeid, afresh=again)
        except Unserved as unserved:
            self.refusals.end_test(unserved)
        self._display.say(f"{item.nodeid} has cluster {lease.cluster.name} ({lease.how})")
        self._outside = put_into_environment(lease.environment)
        return lease

    def _acquire(self, need: Need, who: str, *, afresh: bool = False) -> ClusterLease:
        if self._unshared is not None:
            raise Unserved(self._unshared, may_skip=False)
        with unwatched():
            return self._pool.acquire(need, who, afresh=afresh)

    def take_late(self, item: pytest.Item) -> ClusterLease:
        """Called by our fixtures. Gets the cluster here if the test did not name the fixture."""
        if self._lease is not None:
            return self._lease
        if is_new := OUTCOME not in item.stash:
            item.stash[OUTCOME] = TestOutcome(item, self._said.project)
        outcome = item.stash[OUTCOME]
        try:
            lease = self._take(item, need_of_item(item))
            outcome.uses(lease.cluster)
        finally:
            if is_new:
                self._record(outcome.started())
        return lease

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, Any]:
        try:
            return (yield)
        finally:
            self._item = None
            self._release()
            self._count_down(item)

    def _release(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            put_into_environment(self._outside)
            lease.release()

    def _count_down(self, item: pytest.Item) -> None:
        """Ends a cluster that no later test needs. Only a single process knows the later tests."""
        need = item.stash.get(NEED, None)
        if need is None or FAULT in item.stash or self._worker != "main" or COUNTED in item.stash:
            return
        item.stash[COUNTED] = True  # it may be repeated
        profile = self._profile(need)
        self._left[profile] -= 1
        if self._left[profile] == 0 and any(self._left.values()):
            self._pool.no_more(profile)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
        report: pytest.TestReport = yield
        outcome = self._outcome_of(item, report)
        if outcome is None:
            return report
        outcome.take(report, call.excinfo)
        outcome.uses_too(self.own.seen_by(item))
        if report.failed:
            stacks = [*stack_sections(outcome.clusters, outcome.began)] if timed_out(report) else []
            if stacks:
                outcome.shows(stacks)
            said = sections(outcome.clusters, outcome.began, self._said.tests.log_lines)
            junit.carry(report, [*stacks, *said], outcome.clusters)
        if report.when == "teardown":
            self._record(outcome.ended())
            if self._worker == "main":
                self._report.refresh(urgent=outcome.bad)
        return report

    def _outcome_of(self, item: pytest.Item, report: pytest.TestReport) -> TestOutcome | None:
        """A test without a cluster has an outcome only once it has failed, so that the evidence of
        a failed run is not all green."""
        outcome = item.stash.get(OUTCOME, None)
        begins_again = (
            outcome is not None and outcome.plain and report.when == "setup"
        )  # pytest-rerunfailures
        if begins_again or (outcome is None and report.failed):
            outcome = item.stash[OUTCOME] = TestOutcome(item, self._said.project, plain_since=report.start)
            self._record(outcome.started())
        return outcome

    # -- for fixtures and test cases

    def lease(self) -> ClusterLease:
        """The turn of the test that runs now."""
        assert self._item is not None, "no test runs"
        return self.take_late(self._item)

    @contextlib.contextmanager
    def resized(self, size: int) -> Iterator[Cluster]:
        with contextlib.ExitStack() as block:
            cluster = block.enter_context(resized(self.lease(), size, self.private))
            try:
                yield cluster
            except BaseException:
                if self._item is not None and self._config.option.usepdb:
                    self._item.addfinalizer(block.pop_all().close)  # then it is seen as it was
                raise

    def private(self, profile: str | None, size: int | None) -> contextlib.AbstractContextManager[Cluster]:
        """A cluster for this test alone."""
        return self.own.started(self._item, profile, size)

    def factory(self, item: pytest.Item) -> Factory:
        """Starts clusters for this test. Its markers choose which, if the call does not."""
        need = need_of_item(item)
        return Factory(self.own, lambda: item, profile=need.profile, size=need.size)

    def session_factory(self) -> Factory:
        """Starts clusters that live until the end of the session."""
        return Factory(self.own, lambda: self._item, session=True)

    # -- at the end

    @contextlib.contextmanager
    def finishing(self, session: pytest.Session) -> Iterator[None]:
        """Wraps pytest's own end: fixtures are torn down, clusters end, the report is written."""
        try:
            with junit.whole(session.config, self._folder.path):
                yield
        finally:
            self._stop_watching()
            self._release()
            if self._report.wanted(int(session.exitstatus)):
                self._report.look_at_clusters(self._pool.usage, self._said.project, self._examiner)
            try:
                self._pool.close()
            except ClusterError as error:
                self._tally.left_behind.append(RecordedError.of(error))
            self._sum_up(session)
            serve_with(None)

    def _sum_up(self, session: pytest.Session) -> None:
        if self._worker != "main":
            result = WorkerResult(self._pool.usage, tuple(self._tally.left_behind), self._tally.forced)
            self._config.workeroutput["clusterlib"] = json.dumps(plain(result))  # type: ignore[attr-defined]
            self._record(RunEnded(int(session.exitstatus)))
            self._record.close()
            return
        self._tally.add(self._pool.usage)
        self._tally.judge(session)
        self._report.close(int(session.exitstatus))

    @property
    def summary(self) -> RunSummary:
        return RunSummary(self._tally, self._report.notes, self._report.annotations)

    # -- pieces

    def _profile(self, need: Need) -> str:
        return need.profile or self._pool.default_profile

    def _look_at_machine(self, profile: str) -> Sequence[Finding]:
        try:
            found = self._examiner.machine(profile, self._said.project)
        except ClusterError:
            return ()  # the start reports the same error
        self._record(PreflightRecorded(found.profile, found.findings))
        return found.findings

    def _diagnose(self, profile: str) -> list[str]:
        """What is wrong with the machine, after a start has failed."""
        findings = self._look_at_machine(profile)
        return [f"{one.name}: {one.evidence}" for one in findings if one.outcome is CheckOutcome.FAILED]


def _is_skipped(item: pytest.Item) -> bool:
    """pytest learns of `@unittest.skip` only when it runs the test."""
    return is_skipped_by_unittest(getattr(item, "obj", None), getattr(item, "cls", None))


def run_of(item: pytest.Item) -> Run:
    """The run that serves this test. A test whose need was not visible is skipped like the others,
    even if there is a run."""
    run, option = item.config.stash.get(RUN, None), item.config.option
    if not isinstance(run, Run) or (NEED not in item.stash and not wants_all(option)):
        pytest.skip(FORBIDDEN if option.no_cluster else SKIPPED)
    return run


def run_of_session(config: pytest.Config) -> Run:
    """The run of this session. Skips a test whose need was not visible beforehand, as above."""
    run = config.stash.get(RUN, None)
    if not isinstance(run, Run):
        pytest.skip(FORBIDDEN if config.option.no_cluster else SKIPPED)
    return run


def lease_for(item: pytest.Item) -> ClusterLease:
    return run_of(item).take_late(item)
