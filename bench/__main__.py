"""Measures the bars, each beside its bare minimum in the same run, and writes a table and JSON.

    python -m bench [--rows up-3,lease] [--repeat 10] [--out artifacts/bench]

With `--against COMMIT` it compares this version with another one instead, row by row."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.figures import Row
from bench.live import LIVE
from bench.machine import facts
from bench.programs import ROOT
from bench.report import as_markdown, write
from bench.rest import REST
from bench.rows import LONG, ROWS, Bench
from bench.servers import SERVERS
from bench.suites import SUITES
from bench.tools import TOOLS
from bench.versions import Comparison, Version, as_table, compare, other_version

__all__ = ["main"]

ALL = {**ROWS, **LIVE, **REST, **SERVERS, **TOOLS, **SUITES}
FEW = LONG | SERVERS.keys() | TOOLS.keys() | {"suite-50"}
"""Rows that take many seconds: five pairs of them, not twenty."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    return _compare(options) if options.against else _measure(options)


def _measure(options: argparse.Namespace) -> int:
    machine = facts()
    measured: list[Row] = []
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="clusterlib-bench-") as folder:
        bench = Bench(Path(folder), options.repeat)
        _warm_up(bench)
        for name in options.rows:
            begin = time.monotonic()
            try:
                rows = ALL[name](bench)
            except (RuntimeError, AssertionError, OSError) as error:
                failed.append(name)
                print(f"{name}: not measured: {error}", file=sys.stderr)
                continue
            measured += rows
            for row in rows:
                print(
                    f"{row.key}: {row.ours.median:.2f} {row.unit}  ({time.monotonic() - begin:.1f} s)",
                    file=sys.stderr,
                )
    if measured:
        write(measured, machine, options.out)
        print(as_markdown(measured, machine))
    return 1 if failed else 0


def _compare(options: argparse.Namespace) -> int:
    """Fails if a row is slower than before, or could not be measured."""
    compared: list[Comparison] = []
    failed = False
    now = Version(ROOT, sys.executable)
    with other_version(options.against) as before:
        for name in options.rows:
            pairs = options.pairs or (5 if name in FEW else 20)
            try:
                rows = compare(name, before, now, pairs)
            except RuntimeError as error:
                failed = True
                print(f"{name}: not measured: {error}", file=sys.stderr)
                continue
            compared += rows
            print(as_table(rows), file=sys.stderr, flush=True)
    print(as_table(compared))
    return 1 if failed or any(one.slower for one in compared) else 0


def _warm_up(bench: Bench) -> None:
    """Its times are not used: it compiles the bytecode and fills the page cache."""
    with bench.ours(3) as running:
        running.ask("down")
    with bench.bare(3):
        pass


def _rows(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in ALL]
    if unknown:
        raise argparse.ArgumentTypeError(f"no such rows: {', '.join(unknown)}; there are: {', '.join(ALL)}")
    return names


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return int(text)

    return number


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measures the bars beside their bare minimum."
    )
    parser.add_argument("--rows", type=_rows, default=list(ALL), help=f"some of: {', '.join(ALL)}")
    parser.add_argument("--repeat", type=_at_least(1), help="how often (default: 10)")
    parser.add_argument("--out", type=Path, help="the folder of table and JSON (default: artifacts/bench)")
    parser.add_argument(
        "--against", metavar="COMMIT", help="compare with another version, in alternating pairs"
    )
    parser.add_argument(
        "--pairs", type=_at_least(2), help="how many pairs (default: 20, or 5 for rows that take long)"
    )
    options = parser.parse_args(arguments)
    if options.against and (options.repeat or options.out):
        parser.error("--repeat and --out do not go with --against: it takes --pairs, and prints its table")
    if options.pairs and not options.against:
        parser.error("--pairs needs --against COMMIT")
    options.repeat = options.repeat or 10
    options.out = options.out or ROOT / "artifacts" / "bench"
    return options


if __name__ == "__main__":
    sys.exit(main())
