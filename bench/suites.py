"""What a test run costs: the plugin where no test needs a cluster, a lease of a running one, a
suite of small tests."""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.figures import Figures, Row
from bench.programs import program, run_timed
from bench.rows import Bench, ms

__all__ = ["SUITES"]

PLAIN_FILES, PLAIN_TESTS = 20, 100
SMALL_TESTS = 50

PLAIN = """
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_plain(number):
    assert number >= 0
"""

REUSING = """
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_small(cluster, number):
    assert cluster.nodes[0].call("math:factorial", 5) == 120
"""

ONE_EACH = """
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_small(cluster_factory, number):
    cluster = cluster_factory()
    assert cluster.nodes[0].call("math:factorial", 5) == 120
"""


def plugin_cost(bench: Bench) -> list[Row]:
    """A run of plain tests, alternating with the plugin and without."""
    with_it, without, added = [], [], []
    tests = PLAIN_FILES * PLAIN_TESTS
    with tempfile.TemporaryDirectory(prefix="clusterlib-bench-") as folder:
        project = Path(folder)
        for number in range(PLAIN_FILES):
            (project / f"test_plain_{number}.py").write_text(PLAIN.format(count=PLAIN_TESTS))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
        run_timed(command, project)
        for _ in range(2 * bench.repeat):
            between = _spent(), run_timed([*command, "-p", "no:clusterlib"], project), _spent()
            without.append(ms(between[1]))
            with_it.append(ms(run_timed(command, project)))
            added.append(ms(_spent() - between[2] - (between[2] - between[0])))
    return [
        Row(
            "plugin",
            f"a pytest run of {tests} tests, none of them distributed",
            "ms",
            Figures.of(with_it),
            None,
            Figures.of(without),
            "the same with `-p no:clusterlib`",
        ),
        Row(
            "plugin-added",
            "what the plugin adds to it, in processor time",
            "ms",
            Figures.of([statistics.median(added)]),
            15,
            notes=(
                f"median of {len(added)} differences ({min(added):.0f} - {max(added):.0f}), each of two runs in turns",
                "in processor time: where others work, too, a difference of two times on the clock says nothing",
            ),
        ),
    ]


def turns(bench: Bench) -> list[Row]:
    """How long a test waits for a cluster that runs: asking the pool, getting, giving back."""
    with program("bench.turns", str(bench.project), str(10 * bench.repeat)) as running:
        seconds = running.first
    return [
        Row(
            "turn",
            "a test's lease on its running cluster: asked for, given, handed back",
            "ms",
            Figures.of([ms(one) for one in seconds["ours"]]),
            5,
            Figures.of([ms(one) for one in seconds["bare"]]),
            "two questions and answers over the keeper's bare socket",
        )
    ]


def small_suite(bench: Bench) -> list[Row]:
    """Fifty small tests on one cluster, beside a cluster for each test."""
    reusing, one_each = [], []
    for _ in range(min(bench.repeat, max(3, bench.repeat // 3))):
        reusing.append(_suite(REUSING))
        one_each.append(_suite(ONE_EACH))
    return [
        Row(
            "suite-50",
            f"`pytest --distributed` with {SMALL_TESTS} small tests on 3 nodes, one cluster for all",
            "ms",
            Figures.of(reusing),
            None,
            Figures.of(one_each),
            "the same tests, a cluster for each",
            (f"{statistics.median(reusing) / SMALL_TESTS:.1f} ms a test, all included",),
        )
    ]


def _spent() -> float:
    """Processor seconds of all programs that have ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _suite(text: str) -> float:
    with tempfile.TemporaryDirectory(prefix="clusterlib-bench-") as folder:
        project = Path(folder)
        (project / "test_small.py").write_text(text.format(count=SMALL_TESTS))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "--distributed"]
        return ms(run_timed(command, project))


SUITES: dict[str, Callable[[Bench], list[Row]]] = {
    "plugin": plugin_cost,
    "turn": turns,
    "suite-50": small_suite,
}
"""By the name that `--rows` takes."""
