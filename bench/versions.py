"""Compares this version with another one: `python -m bench --against COMMIT`.

Each version is measured by its own bench, in turns: a pair is one run of each, and every second
pair runs the other version first. What is compared is the ratio of the two in each pair."""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.programs import ROOT, environment

__all__ = ["ALLOWED", "Comparison", "Version", "as_table", "compare", "other_version"]

ALLOWED = 1.05
"""A row fails if the interval of its ratio lies wholly above this."""

T_QUANTILES = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
"""Student's t, 97.5 %, for 1 to 30 degrees of freedom."""
NORMAL_QUANTILE = 1.960
HEADER = ("row", "unit", "before", "now", "ratio", "95 % interval", "")


@dataclass(frozen=True, slots=True)
class Version:
    """A checkout with a bench, and the Python of an environment where it is installed."""

    folder: Path
    python: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The values of one row, pair by pair."""

    key: str
    unit: str
    before: tuple[float, ...]
    now: tuple[float, ...]

    @property
    def _logarithms(self) -> list[float]:
        """Of the ratio of each pair: ratios are multiplied, not added."""
        return [math.log(now / before) for before, now in zip(self.before, self.now, strict=True)]

    @property
    def comparable(self) -> bool:
        """There is no ratio of a difference that may be zero or less, and no interval of one."""
        return len(self.now) > 1 and min(*self.before, *self.now) > 0

    @property
    def ratio(self) -> float:
        return math.exp(statistics.mean(self._logarithms))

    @property
    def interval(self) -> tuple[float, float]:
        """95 % of such intervals contain the true ratio."""
        logarithms = self._logarithms
        freedom = len(logarithms) - 1
        quantile = T_QUANTILES[freedom - 1] if freedom <= len(T_QUANTILES) else NORMAL_QUANTILE
        half = quantile * statistics.stdev(logarithms) / math.sqrt(len(logarithms))
        middle = statistics.mean(logarithms)
        return math.exp(middle - half), math.exp(middle + half)

    @property
    def slower(self) -> bool:
        return self.comparable and self.interval[0] > ALLOWED

    @property
    def verdict(self) -> str:
        if not self.comparable:
            return "not compared"
        _, high = self.interval
        return (
            "**slower**" if self.slower else "faster" if high < 1 else "as before" if high <= ALLOWED else ""
        )


def compare(name: str, before: Version, now: Version, pairs: int) -> list[Comparison]:
    """The rows that one measurement gives in both versions."""
    units: dict[str, str] = {}
    values: dict[Version, dict[str, list[float]]] = {before: {}, now: {}}
    for pair in range(pairs):
        for version in (before, now) if pair % 2 else (now, before):
            for key, unit, value in _measure(name, version):
                units[key] = unit
                values[version].setdefault(key, []).append(value)
    lacking = [key for key in units if any(len(values[one].get(key, ())) < pairs for one in values)]
    if lacking:
        raise RuntimeError(f"not measured in every pair by both versions: {', '.join(lacking)}")
    return [
        Comparison(key, unit, tuple(values[before][key]), tuple(values[now][key]))
        for key, unit in units.items()
    ]


def _measure(name: str, version: Version) -> Iterator[tuple[str, str, float]]:
    with tempfile.TemporaryDirectory(prefix="clusterlib-bench-") as folder:
        done = subprocess.run(
            [version.python, "-m", "bench", "--rows", name, "--repeat", "1", "--out", folder],
            cwd=version.folder,
            env=_without_python_path(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{version.folder}: {done.stderr.strip()[-1000:]}")
        for row in json.loads(Path(folder, "bench.json").read_text())["rows"]:
            yield row["key"], row["unit"], row["ours"]["median"]


def _without_python_path() -> dict[str, str]:
    """It would lead both versions to the same files."""
    return {name: value for name, value in environment().items() if name != "PYTHONPATH"}


@contextmanager
def other_version(commit: str) -> Iterator[Version]:
    """The files of a commit, installed in an environment of their own. Nothing of it stays."""
    packed = subprocess.run(
        ["git", "archive", "--format=tar", commit], cwd=ROOT, capture_output=True, check=False
    )
    if packed.returncode != 0:
        raise RuntimeError(f"--against {commit}: {packed.stderr.decode(errors='replace').strip()}")
    with tempfile.TemporaryDirectory(prefix="clusterlib-bench-") as folder:
        checkout, made = Path(folder, "checkout"), Path(folder, "environment")
        checkout.mkdir()
        subprocess.run(["tar", "-x", "-C", str(checkout)], input=packed.stdout, check=True)
        python = str(made / "bin" / "python")
        for command in (
            [sys.executable, "-m", "venv", str(made)],
            [python, "-m", "pip", "install", "--quiet", "--editable", f"{checkout}[test,bench]"],
        ):
            subprocess.run(command, check=True)
        yield Version(checkout, python)


def as_table(compared: Iterable[Comparison]) -> str:
    rows = [_cells(one) for one in compared]
    return "\n".join([_line(HEADER), "|" + " --- |" * len(HEADER), *map(_line, rows)])


def _cells(one: Comparison) -> Sequence[str]:
    medians = (f"{statistics.median(values):.2f}" for values in (one.before, one.now))
    if not one.comparable:
        return (one.key, one.unit, *medians, "", "", one.verdict)
    low, high = one.interval
    return (one.key, one.unit, *medians, f"{one.ratio:.3f}", f"{low:.3f} - {high:.3f}", one.verdict)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
