"""The table, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.figures import Figures, Row

__all__ = ["as_markdown", "write"]

HEADER = ("what", "measured (min - max)", "bar", "", "bare (min - max)", "ratio")


def as_markdown(rows: Sequence[Row], machine: dict[str, Any]) -> str:
    lines = [" | ".join(["", *HEADER, ""]).strip(), "|" + " --- |" * len(HEADER)]
    lines += [f"| {' | '.join(_cells(row))} |" for row in rows]
    notes = [
        f"- {row.key}: {'; '.join([*([f'bare: {row.bare_is}'] if row.bare_is else []), *row.notes])}"
        for row in rows
    ]
    return "\n".join([_about(machine), "", *lines, "", *notes, ""])


def write(rows: Sequence[Row], machine: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.md").write_text(as_markdown(rows, machine))
    whole = {"machine": machine, "rows": [row.to_dict() for row in rows]}
    (folder / "bench.json").write_text(json.dumps(whole, indent=1) + "\n")


def _about(machine: dict[str, Any]) -> str:
    return (
        f"{machine['cpus']} CPUs ({machine['cpu']}), {machine['memory_mb']} MB, {machine['kernel']}, Python {machine['python']}; "
        f"load {machine['load']:.2f} at the start. Medians; the bytecode is cached, as for an installed package."
    )


def _cells(row: Row) -> list[str]:
    met = {None: "", True: "met", False: "**missed**"}[row.met]
    bar = f"<= {row.bar:g} {row.unit}" if row.bar is not None else ""
    bare = _figures(row.bare, row.unit) if row.bare is not None else ""
    ratio = f"{row.ratio:.2f}x" if row.ratio is not None else ""
    return [row.what, _figures(row.ours, row.unit), bar, met, bare, ratio]


def _figures(figures: Figures, unit: str) -> str:
    median = f"{_short(figures.median)} {unit}"
    return (
        median if len(figures.values) == 1 else f"{median} ({_short(figures.least)} - {_short(figures.most)})"
    )


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
