"""Measures the bars, each beside its bare minimum in the same run, and writes a table and JSON.

python -m bench [--rows up-3,lease] [--repeat 10] [--out artifacts/bench]"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Row
from bench.machine import facts
from bench.programs import ROOT
from bench.report import as_markdown, write
from bench.rows import ROWS, Bench
from bench.servers import SERVERS
from bench.suites import SUITES
from bench.tools import TOOLS

__all__ = ["main"]

ALL = {**ROWS, **SERVERS, **TOOLS, **SUITES}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
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


def _warm_up(bench: Bench) -> None:
    """Once for nothing: compiles the bytecode and fills the page cache."""
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


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measures the bars beside their bare minimum."
    )
    parser.add_argument("--rows", type=_rows, default=list(ALL), help=f"some of: {', '.join(ALL)}")
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--out", type=Path, default=ROOT / "artifacts" / "bench")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
