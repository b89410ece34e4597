"""What pytest loads in every run of every project that has clusterlib installed. So it imports only
what is needed.

It declares options, markers and fixtures. `clusterlib.testing` finds the tests that need a cluster,
decides whether they run, and serves them. Most of it is imported only for runs with such tests."""

from __future__ import annotations

import os
from argparse import ArgumentTypeError
from collections.abc import Callable, Generator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from clusterlib.testing.declared import (
    FORBIDDEN,
    INI,
    KINDS,
    MARKERS,
    RUN,
    SKIPPED,
    distributed,
    leave_out_workers,
)
from clusterlib.testing.registered import FIXTURE_MODULES

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from clusterlib.client.cluster import Cluster, Node
    from clusterlib.testing.controller import Controller
    from clusterlib.testing.shown import TestRun

CONTROLLER = pytest.StashKey["Controller"]()
FOLDER = pytest.StashKey[str]()
FIXTURE_MODULES.add(__name__)


# -- what the user can say


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("clusterlib", "clusters for distributed tests (clusterlib)")
    group.addoption("--distributed", action="store_true", help="Run distributed tests, too, with clusters.")
    group.addoption(
        "--force-cluster",
        action="store_true",
        help="Start a cluster before the first test, even if no test needs one.",
    )
    group.addoption(
        "--no-cluster", action="store_true", help="Skip distributed tests, regardless of other options."
    )
    group.addoption(
        "--cluster-size", type=_size, metavar="N", help="Number of nodes for tests without a size."
    )
    group.addoption("--cluster-profile", metavar="NAME", help="Profile of the clusters (also: --profile).")
    group.addoption(
        "--cluster-verbose", action="store_true", help="Print what happens to the clusters, as it happens."
    )
    group.addoption(
        "--cluster-linger",
        action="store_true",
        help="Keep clusters for a while, for the next run with this option.",
    )
    group.addoption(
        "--cluster-plan", action="store_true", help="Print which cluster would serve which test; run nothing."
    )
    group.addoption("--cluster-plan-to", metavar="FILE", help="Write the plan to FILE, as JSON.")
    group.addoption(
        "--cluster-artifacts", metavar="DIR", help="Leave report, logs and configurations in DIR, always."
    )
    for name, text in INI.items():
        default: list[str] | None = [] if KINDS.get(name) == "args" else None
        parser.addini(name, text, type=KINDS.get(name), default=default)  # type: ignore[arg-type]


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, None, None]:
    """`--profile` is registered only if no other plugin and no conftest of the project has it."""
    if not _is_taken(parser, "--profile"):
        paths = getattr(early_config.known_args_namespace, "file_or_dir", [])
        for option, name in pairwise(args):
            if option == "--profile" and name in paths:
                paths.remove(name)  # not a folder whose conftest is to be loaded
    yield
    if not _is_taken(parser, "--profile"):
        group = parser.getgroup("clusterlib")
        group.addoption(
            "--profile", metavar="NAME", dest="cluster_profile", help="The same as --cluster-profile."
        )


def pytest_configure(config: pytest.Config) -> None:
    for text in MARKERS.values():
        config.addinivalue_line("markers", text)


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, Any, Any]:
    leave_out_workers(config)
    return (yield)


def _size(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise ArgumentTypeError(f"a cluster has 1 to 1000 nodes, not {text!r}: --cluster-size 3")
    return int(text)


def _is_taken(parser: pytest.Parser, option: str) -> bool:
    groups = [parser._anonymous, *parser._groups]  # noqa: SLF001 - there is no other way to be polite
    return any(option in one.names() for group in groups for one in group.options)


# -- which tests need a cluster, and which of them run


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them get the marker, before `-m` is evaluated."""
    for item in distributed(items):
        if item.get_closest_marker("distributed") is None:
            item.add_marker("distributed")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    from clusterlib.testing.selection import select

    wanted = select(session)
    if wanted is not None:
        from clusterlib.doors.pytest.live import Live
        from clusterlib.operations.examiner import OperationsExaminer
        from clusterlib.testing.session import begin

        begin(session, wanted, Live(session.config), OperationsExaminer())


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    run = config.stash.get(RUN, None)
    plan = None if run is None else run.shown_plan
    if plan is None:
        return []
    from clusterlib.doors.pytest.summary import plan_lines

    return plan_lines(plan, quiet=config.option.verbose < 0)


# -- while they run


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    run = session.config.stash.get(RUN, None)
    if session.config.option.cluster_plan:
        return True
    if run is not None:
        run.begin_tests()
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """After marks and the project's own hooks had a chance to skip the test, before its fixtures
    are made."""
    run = item.config.stash.get(RUN, None)
    if run is not None:
        run.before(item)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, Any, Any]:
    run = _run(session.config)
    if run is None:
        return (yield)
    with run.finishing(session):
        return (yield)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    run = config.stash.get(RUN, None) or config.stash.get(CONTROLLER, None)
    summary = None if run is None else run.summary
    if summary is not None:
        from clusterlib.doors.pytest.summary import show_summary

        show_summary(terminalreporter, summary)
    if terminalreporter.stats.get("skipped"):
        _tell_skips(terminalreporter)


def _tell_skips(reporter: Any) -> None:
    reasons = [one.longrepr[2] for one in reporter.stats["skipped"] if isinstance(one.longrepr, tuple)]
    skipped, forbidden = (sum(reason.endswith(text) for reason in reasons) for text in (SKIPPED, FORBIDDEN))
    if skipped:
        reporter.write_line(
            f"clusterlib: {_tests(skipped)} skipped; run them with: "
            "pytest --distributed (everything) or pytest -m distributed (only them)"
        )
    if forbidden:
        reporter.write_line(f"clusterlib: {_tests(forbidden)} skipped because of --no-cluster")


def _tests(count: int) -> str:
    return "1 distributed test was" if count == 1 else f"{count} distributed tests were"


# -- pytest-xdist: the controller collects nothing; what its workers do is in their records


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Mistakes are reported once, not by every worker, if the run clearly needs clusters."""
    config = session.config
    option = config.option
    wanted = option.distributed or option.force_cluster or any(name in option.markexpr for name in MARKERS)
    if wanted and not option.no_cluster and config.pluginmanager.hasplugin("dsession"):
        from clusterlib.testing.options import read_options
        from clusterlib.testing.place import project_of

        read_options(config, project_of(config))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    stash = node.config.stash
    if FOLDER not in stash:
        from clusterlib.testing.place import choose

        stash[FOLDER] = str(choose(node.config))
    node.workerinput["clusterlib"] = stash[FOLDER]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any) -> None:
    controller = _controller(node.config)
    plan = None if controller is None else controller.collected()
    reporter: Any = node.config.pluginmanager.getplugin("terminalreporter")
    if plan is not None and reporter is not None:
        from clusterlib.doors.pytest.summary import show_plan

        show_plan(reporter, plan, quiet=node.config.option.verbose < 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    controller = _controller(node.config)
    if controller is not None:
        controller.worker_down(node, error)


def _run(config: pytest.Config) -> TestRun | Controller | None:
    return config.stash.get(RUN, None) or _controller(config)


def _controller(config: pytest.Config) -> Controller | None:
    """The collector of the workers' records; None until a worker has written one."""
    stash = config.stash
    if CONTROLLER not in stash:
        folder = stash.get(FOLDER, None)
        if folder is None or not os.path.isdir(os.path.join(folder, "records")):  # noqa: PTH112, PTH118 - pathlib would be one more cost of every run
            return None
        from clusterlib.testing.controller import Controller

        stash[CONTROLLER] = Controller(config, folder)
    return stash[CONTROLLER]


# -- fixtures


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """The cluster that satisfies the markers of this test: shared with other tests, whole and
    clean."""
    from clusterlib.testing.session import lease_for

    return lease_for(request.node).cluster


@pytest.fixture
def cluster_nodes(cluster: Cluster) -> list[Node]:
    """The nodes of the cluster that satisfies the markers of this test."""
    return cluster.nodes


@pytest.fixture
def cluster_factory(request: pytest.FixtureRequest) -> Generator[Callable[..., Cluster], None, None]:
    """Starts clusters for this test only: cluster_factory(size=3, profile="dev",
    overrides={"timeouts.start": 60}).

    They are stopped after the test, the last one first."""
    from clusterlib.testing.session import run_of

    factory = run_of(request.node).factory(request.node)
    yield factory
    factory.close()


@pytest.fixture(scope="session")
def session_cluster_factory(request: pytest.FixtureRequest) -> Generator[Callable[..., Cluster], None, None]:
    """Starts clusters that live until the end of the session, for fixtures of session, package,
    module or class scope.

    session_cluster_factory(size=3, profile="etcd"). With pytest-xdist each worker has its own."""
    from clusterlib.testing.session import run_of_session

    factory = run_of_session(request.config).session_factory()
    yield factory
    factory.close()


@pytest.fixture(scope="session")
def session_cluster(session_cluster_factory: Callable[..., Cluster]) -> Cluster:
    """One cluster of the run's profile from the first test that uses it to the end of the session.

    For clients of session scope. Data of a test stays for the next one; nodes that ended are
    started again."""
    return session_cluster_factory()


@pytest.fixture
def with_cluster_size(request: pytest.FixtureRequest) -> Callable[[int], AbstractContextManager[Cluster]]:
    """The cluster with exactly n nodes, for a block: `with with_cluster_size(5) as cluster:`."""
    from clusterlib.testing.session import run_of

    return run_of(request.node).resized
