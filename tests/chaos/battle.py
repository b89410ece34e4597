"""One round: its folders, its runners and their blows, and the check at its end."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

from clusterlib.waiting import Deadline, poll
from tests.chaos.aftermath import Aftermath, evidence
from tests.chaos.fighter import Fighter
from tests.chaos.leftovers import Finding
from tests.chaos.processes import look
from tests.chaos.scenario import Scenario

__all__ = ["Battle"]

ROUND_SECONDS = 120.0
RUNNER_SECONDS = 60.0
"""For a runner whose cluster was taken down under its feet."""
PORTS = 400
"""For each purpose of each project of the round."""

PROFILE = """
description = "A round of chaos"

[ports]
cluster = "{first}-{middle}"
http = "{next}-{last}"

[timeouts]
start = 20
stop = 1
call = 3

[python]
app = "chaos_app:begin"

[adapt]
enabled = false
"""


class Battle:
    def __init__(self, scenario: Scenario, mark: str) -> None:
        self.scenario = scenario
        self.mark = mark
        self.folder = Path(tempfile.mkdtemp(prefix="clusterlib-chaos-"))
        self.ports = range(scenario.first_port, scenario.first_port + 2 * PORTS)
        self.fighters: list[Fighter] = []
        self._began = time.monotonic()
        self._fought = 0.0
        self._vanished = 0.0

    def fight(self) -> list[Finding]:
        aftermath = Aftermath(self.fighters, self.folder, self.mark, self.ports)
        try:
            for script in self.scenario.scripts:
                self.fighters.append(Fighter(script, self._project(script.project), self.mark))
            poll(self._step, Deadline(ROUND_SECONDS), longest=0.01)
            self._fought = time.monotonic() - self._began
            aftermath.end_what_may_live()
            poll(self._everybody_ended, Deadline(RUNNER_SECONDS))
            hanging = [
                Finding("runner", f"{fighter} hangs: {look(fighter.process.pid)}")
                for fighter in self.fighters
                if not fighter.ended
            ]
        finally:
            for fighter in self.fighters:
                fighter.finish()
        findings = [*hanging, *aftermath.judge()]
        self._vanished = aftermath.slowest
        return findings

    def _step(self) -> bool:
        quiet = [fighter.step() for fighter in self.fighters]
        return all(quiet)

    def _everybody_ended(self) -> bool:
        self._step()
        return all(fighter.ended for fighter in self.fighters)

    def summary(self) -> str:
        nodes = sum(script.nodes for script in self.scenario.scripts)
        blows = Counter(
            str(blow.strike) for fighter in self.fighters for blow in fighter.blows if blow.landed
        )
        done = ", ".join(f"{blow} x{count}" if count > 1 else blow for blow, count in sorted(blows.items()))
        projects = len({script.project for script in self.scenario.scripts})
        return (
            f"{len(self.fighters)} clusters of {nodes} nodes in {projects} projects; {done or 'no blow landed'}; "
            f"{self._fought:.1f} s, gone after {self._vanished:.2f} s, all {time.monotonic() - self._began:.1f} s"
        )

    def evidence(self) -> list[str]:
        return evidence(self.fighters)

    def tidy(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _project(self, number: int) -> Path:
        project = self.folder / f"project-{number}"
        if not project.exists():
            shutil.copytree(
                Path(__file__).parent / "project", project, ignore=shutil.ignore_patterns("__pycache__")
            )
            (project / "profiles").mkdir()
            first = self.scenario.first_port
            text = PROFILE.format(
                first=first, middle=first + PORTS - 1, next=first + PORTS, last=first + 2 * PORTS - 1
            )
            (project / "profiles" / "chaos.toml").write_text(text)
        return project
