"""The plugin's declarations for pytest: its fixtures, markers and settings; and which tests they
concern.

It is loaded in every run of pytest, so it imports nothing else of clusterlib but what doors have
registered."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from clusterlib.testing.registered import CASES, FIXTURE_MODULES

if TYPE_CHECKING:
    from clusterlib.testing.shown import TestRun

__all__ = [
    "FIXTURES",
    "FORBIDDEN",
    "INI",
    "KINDS",
    "MARKERS",
    "PARALLEL",
    "RUN",
    "SKIPPED",
    "distributed",
    "leave_out_workers",
    "our_fixtures",
    "wants_all",
]

FIXTURES = frozenset(
    {
        "cluster",
        "cluster_nodes",
        "cluster_factory",
        "session_cluster",
        "session_cluster_factory",
        "with_cluster_size",
    }
)
MARKERS = {
    "distributed": "distributed: the test needs a cluster; it gets one with --distributed or -m distributed.",
    "cluster": "cluster(profile=None, dirty=None, exclusive=False, own=False): what kind of cluster the test needs. "
    "profile: another one than that of the run; dirty=True: the cluster is started afresh after the test, "
    "dirty=False: the test heals what it breaks; exclusive=True: no other test uses it meanwhile; "
    "own=True: the test starts its clusters itself, and none is started for it.",
    "multi_node": "multi_node: the test needs a cluster of at least two nodes.",
    "cluster_size": "cluster_size(n, exact=False): the test needs a cluster of at least n nodes, or of exactly n.",
}
INI = {
    "cluster_auto": "Start clusters for tests. false: only a cluster that runs already is used",
    "cluster_profile": "The profile of tests without one",
    "cluster_workers": "With pytest-xdist: each, a cluster for each worker; shared, one for all",
    "cluster_strict": "When tests whose cluster did not start fail instead of being skipped: ci, always, never",
    "cluster_fallbacks": "What may be tried when a cluster does not start: retry smaller simulate skip",
    "cluster_artifacts": "When a run leaves a folder with report and logs: failure, always, never",
    "cluster_log_lines": "Lines of each node shown with a failed test",
}
KINDS = {"cluster_auto": "bool", "cluster_fallbacks": "args"}

RUN: pytest.StashKey[TestRun] = pytest.StashKey()
"""What serves the tests of this process."""
PARALLEL = pytest.StashKey[bool]()
"""Whether a run that only prints its plan would have had workers."""
SKIPPED = "needs a cluster; pytest --distributed gives it one"
FORBIDDEN = "needs a cluster, and --no-cluster forbids it"


def wants_all(option: Any) -> bool:
    """Whether all distributed tests run, and not only those that were asked for by their marks."""
    asked = option.distributed or option.force_cluster or bool(os.environ.get("CLUSTERLIB_RUN"))
    return bool(asked and not option.no_cluster)


def leave_out_workers(config: pytest.Config) -> None:
    """A run that only prints its plan runs no tests, and needs no workers."""
    option = config.option
    if option.cluster_plan and getattr(option, "numprocesses", None):
        option.numprocesses = 0
        config.stash[PARALLEL] = True


def distributed(items: Sequence[pytest.Item]) -> Generator[pytest.Item, None, None]:
    """The tests that need a cluster: because of a marker, a fixture of clusterlib, or their class.

    Called for every test of every run."""
    cases = tuple(CASES)
    parents: dict[Any, bool] = {}
    for item in items:
        parent = item.parent
        verdict = parents.get(parent)
        if verdict is None:
            verdict = parents[parent] = _is_distributed(parent, cases)
        if verdict or any(mark.name in MARKERS for mark in item.own_markers) or _uses_fixture(item):
            yield item


def _is_distributed(parent: Any, cases: tuple[type, ...]) -> bool:
    """By what surrounds a test: its class, its module, its package."""
    if parent is None:
        return False
    if any(mark.name in MARKERS for mark in parent.iter_markers()):
        return True
    kind = getattr(parent, "cls", None)
    return isinstance(kind, type) and issubclass(kind, cases)


def _uses_fixture(item: pytest.Item) -> bool:
    return not FIXTURES.isdisjoint(getattr(item, "fixturenames", ())) and bool(our_fixtures(item))


def our_fixtures(item: pytest.Item) -> set[str]:
    """The fixtures of clusterlib that a test uses, directly or through others."""
    return {name for name in FIXTURES.intersection(getattr(item, "fixturenames", ())) if _is_ours(item, name)}


def _is_ours(item: pytest.Item, name: str) -> bool:
    """Whether the fixture of that name is ours, and not one of the project's that happens to be
    called so."""
    info = getattr(item, "_fixtureinfo", None)
    for definition in reversed(info.name2fixturedefs.get(name, ()) if info else ()):
        if definition.func.__module__ in FIXTURE_MODULES:
            return True
        if name not in definition.argnames:
            return False
    return False
