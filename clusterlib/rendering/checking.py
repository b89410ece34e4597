"""Tries templates and texts with sample values, and reports what is wrong.

The profile may come from anybody. Jinja's sandbox prevents a template from running code. A separate
process with limits ensures that it also ends and fits into memory. No process is started if all
texts are plain, like those of embedded nodes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from clusterlib.frozen import frozen
from clusterlib.rendering import rendered, rendered_text
from clusterlib.rendering.faults import Faulty, TemplateFault
from clusterlib.rendering.plain import Unusual, filled_in, parts_of, parts_of_file

__all__ = ["Trial", "answer_of", "faults_of"]

CPU_SECONDS = 10
MEMORY = 512 * 2**20
PATIENCE = 120.0
"""For the whole process, even if the machine is so busy that its ten seconds of CPU take long."""


@frozen
class Trial:
    """One template, by name, or one text."""

    field: str
    template: str | None
    text: str

    def tried(self, folders: Sequence[Path], samples: Sequence[dict[str, Any]]) -> TemplateFault | None:
        """The fault, or None."""
        try:
            for values in samples:
                if self.template is not None:
                    rendered(self.template, folders, values)
                else:
                    rendered_text(self.text, values)
        except Faulty as error:
            return error.fault
        return None

    def is_plain(self, folders: Sequence[Path], samples: Sequence[dict[str, Any]]) -> bool:
        """Whether it can be filled in without jinja2, so that nothing can go wrong."""
        names = tuple(map(str, folders))
        try:
            parts = parts_of(self.text) if self.template is None else parts_of_file(self.template, names)
            for values in samples:
                filled_in(parts, values)
        except Unusual:
            return False
        return True


def faults_of(
    trials: Sequence[Trial], folders: Sequence[Path], samples: Sequence[dict[str, Any]]
) -> list[TemplateFault | None]:
    """The fault or None for each trial, in order.

    If one exceeds the limits, the rest is not tried."""
    if not trials:
        return []
    from clusterlib.hosts.confined import run_confined

    asked = {
        "folders": [str(folder) for folder in folders],
        "samples": samples,
        "trials": [[one.field, one.template, one.text] for one in trials],
    }
    lines = run_confined(
        "clusterlib.rendering.trying",
        json.dumps(asked).encode(),
        cpu_seconds=CPU_SECONDS,
        memory=MEMORY,
        patience=PATIENCE,
    ).splitlines()
    answers: list[TemplateFault | None] = []
    for line in lines:
        with suppress(ValueError, TypeError):
            fault = json.loads(line)
            answers.append(None if fault is None else TemplateFault(**fault))
    if len(answers) < len(trials):
        limits = f"{CPU_SECONDS} s of computing, {MEMORY // 2**20} MiB of memory"
        problem = f"goes beyond what a template may take ({limits})"
        answers.append(TemplateFault(problem, "write less of it; what comes after it was not looked at"))
    return answers


def answer_of(asked: dict[str, Any]) -> Iterator[str]:
    """Runs in the separate process: yields a line for each trial, as soon as it is known."""
    from dataclasses import asdict

    folders = [Path(folder) for folder in asked["folders"]]
    for field, template, text in asked["trials"]:
        fault = Trial(field, template, text).tried(folders, asked["samples"])
        yield json.dumps(None if fault is None else asdict(fault))
