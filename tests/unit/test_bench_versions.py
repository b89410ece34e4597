"""The bench compares two versions in alternating pairs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.versions import Comparison, Version, as_table, compare

BENCH = """
import json, pathlib, sys
folder, log = pathlib.Path(sys.argv[sys.argv.index("--out") + 1]), pathlib.Path({log!r})
with log.open("a") as file:
    file.write({name!r} + " ")
row = {{"key": "up-3", "unit": "ms", "ours": {{"median": {median}}}}}
(folder / "bench.json").write_text(json.dumps({{"rows": [row]}}))
"""


def a_version(folder: Path, name: str, bench: str) -> Version:
    package = folder / name / "bench"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(bench)
    return Version(folder / name, sys.executable)


def steady(before: float, now: float, pairs: int = 20, spread: float = 0.01) -> Comparison:
    """Values that differ a little from pair to pair."""
    signs = [1 if pair % 2 else -1 for pair in range(pairs)]
    return Comparison("up-3", "ms", (before,) * pairs, tuple(now * (1 + spread * sign) for sign in signs))


def test_the_two_versions_take_turns_and_each_second_pair_begins_with_the_other(tmp_path: Path) -> None:
    log = tmp_path / "log"
    before, now = (
        a_version(tmp_path, name, BENCH.format(log=str(log), name=name, median=median))
        for name, median in (("before", 100.0), ("now", 110.0))
    )

    rows = compare("up-3", before, now, pairs=3)

    assert log.read_text().split() == ["now", "before", "before", "now", "now", "before"]
    assert rows == [Comparison("up-3", "ms", (100.0,) * 3, (110.0,) * 3)]
    assert "| up-3 | ms | 100.00 | 110.00 | 1.100 | 1.100 - 1.100 | **slower** |" in as_table(rows)


def test_a_bench_that_fails_is_reported_with_its_words(tmp_path: Path) -> None:
    broken = a_version(tmp_path, "broken", "import sys; sys.exit('etcd is not installed')")

    with pytest.raises(RuntimeError, match="broken: etcd is not installed"):
        compare("etcd-up", broken, broken, pairs=2)


def test_a_row_that_only_one_version_measures_is_an_error(tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    before = a_version(tmp_path, "before", BENCH.format(log=log, name="before", median=100.0))
    renamed = BENCH.format(log=log, name="now", median=100.0).replace('"up-3"', '"up-three"')
    now = a_version(tmp_path, "now", renamed)

    with pytest.raises(RuntimeError, match="not measured in every pair by both versions: up-three, up-3"):
        compare("up-3", before, now, pairs=2)


@pytest.mark.parametrize(
    ("comparison", "verdict"),
    [
        (steady(100, 110), "**slower**"),
        (steady(100, 103), "as before"),
        (steady(100, 90), "faster"),
        (steady(100, 110, spread=0.3), ""),
        (Comparison("plugin-added", "ms", (-3.0, 4.0), (5.0, 6.0)), "not compared"),
    ],
)
def test_a_row_is_slower_only_if_its_whole_interval_lies_above_the_bound(
    comparison: Comparison, verdict: str
) -> None:
    assert comparison.verdict == verdict
    assert comparison.slower == (verdict == "**slower**")


def test_the_interval_is_that_of_students_t() -> None:
    """By hand: the logarithms are 0 and 0.2, so their mean is 0.1 and its error 0.1; t is
    12.706."""
    comparison = Comparison("up-3", "ms", (100.0, 100.0), (100.0, 122.14027581601698))

    low, high = comparison.interval

    assert comparison.ratio == pytest.approx(1.10517, rel=1e-4)
    assert [low, high] == pytest.approx([0.31020, 3.93744], rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--pairs", "3"), "--pairs needs --against"),
        (("--against", "HEAD", "--repeat", "3"), "do not go with --against"),
        (("--against", "HEAD", "--pairs", "1"), "at least 2"),
        (("--repeat", "0"), "at least 1"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert reason in capsys.readouterr().err


def test_an_unknown_commit_is_an_error_before_anything_is_measured() -> None:
    with pytest.raises(RuntimeError, match="--against no-such-commit"):
        main(("--against", "no-such-commit", "--rows", "lease"))
