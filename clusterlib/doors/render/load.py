"""What a load has measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlib.load.histogram import Histogram

if TYPE_CHECKING:
    from clusterlib.doors.console import Cell, Console
    from clusterlib.load.results import Latency, LoadRow
    from clusterlib.operations.load import LoadResult, LoadTick

__all__ = ["load", "load_tick"]

MOST_BARS = 12
BAR = 40
NANOSECONDS = 1e9


def load_tick(console: Console, result: LoadTick) -> None:
    one = result.measured
    errors = f", {one.errors:,} errors" if one.errors else ""
    latency = f", p99 {in_words(one.p99)}" if one.requests else ""
    console.say(f"{one.second:4d} s  {one.requests:,} requests{errors}{latency}")


def load(console: Console, result: LoadResult) -> None:
    paint = console.paint
    mark = f" {paint('[SIMULATED]', 'magenta')}" if result.simulated else ""
    how = f"{result.rate:g} requests a second" if result.rate is not None else f"{result.loop} loop"
    early = ", interrupted" if result.interrupted else ""
    console.line(
        f"{paint(result.target, 'bold')} on cluster {paint(result.cluster, 'bold')}{mark}: "
        f"{result.clients} clients, {how}, {result.seconds:.1f} s{early}"
    )
    rows = [*result.nodes, *([result.total] if len(result.nodes) > 1 else [])]
    corrected = result.loop == "closed"
    titles = ["node", "requests", "errors", "requests/s", "p50", "p90", "p99", "p99.9", "max"]
    columns = [*titles, *(["p99 corrected"] if corrected else []), "memory", "cpu"]
    console.table(columns, [_cells(row, corrected) for row in rows], foldable=(), expendable=("p99.9", "p90"))
    for fault in result.faults:
        console.line(f"{paint('at', 'yellow')} {fault.second:.1f} s: {fault.what}")
    for kind, count in result.total.errors.items():
        console.line(f"{paint('errors', 'red')}: {count:,} x {kind}")
    if result.unsent:
        console.line(f"{paint('never sent', 'red')}: {result.unsent:,} requests; all clients were waiting")
    _bars(console, result.total)
    for limit in result.limits:
        beginning = f"limited by the {limit.by}" if limit.by != "simulated" else "simulated"
        console.paragraph(f"{paint(beginning, 'yellow')}: ", limit.reason, indent=len(beginning) + 2)


def _cells(row: LoadRow, corrected: bool) -> list[Cell]:
    failed = f"{row.failed:,}"
    cells: list[Cell] = [row.node, f"{row.requests:,}", (failed, "red") if row.failed else failed]
    cells += [f"{row.throughput:,.0f}", *_latency(row.latency)]
    if corrected:
        cells.append("-" if row.corrected is None else in_words(row.corrected.p99))
    if row.usage is None:
        return [*cells, "-", "-"]
    return [*cells, f"{row.usage.memory / 2**20:.0f} MiB", f"{row.usage.cpu:.0%}"]


def _latency(latency: Latency | None) -> list[str]:
    if latency is None:
        return ["-"] * 5
    return [in_words(one) for one in (latency.p50, latency.p90, latency.p99, latency.p999, latency.most)]


def _bars(console: Console, row: LoadRow) -> None:
    bars = Histogram(row.histogram).bars(MOST_BARS)
    most = max((count for *_, count in bars), default=0)
    for first, last, count in bars:
        size = max(1, round(BAR * count / most)) if count else 0
        between = f"{in_words(first / NANOSECONDS):>8} to {in_words(last / NANOSECONDS):>8}"
        console.line(f"{between}  {count:>9,}  {'#' * size}".rstrip())


def in_words(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"
