"""After a round, everything that should be gone is gone, and the next `up` works.

Anything else is a finding."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clusterlib.client.ending import take_down
from clusterlib.client.start import lock_of
from clusterlib.errors import ClusterError
from clusterlib.rundir.folders import cluster_identifier, runs_of
from clusterlib.waiting import Deadline, poll
from tests.chaos.fighter import Fighter, start_runner
from tests.chaos.leftovers import Finding, debris, survivors

__all__ = ["Aftermath", "evidence"]

VANISH_SECONDS = 30.0
NEXT_UP_SECONDS = 90.0
TAIL = 25


@dataclass
class Aftermath:
    """The judgement over one round."""

    fighters: Sequence[Fighter]
    folder: Path
    mark: str
    ports: range
    findings: list[Finding] = field(default_factory=list)
    slowest: float = 0.0
    """Seconds until the last cluster whose runner was gone had vanished."""

    def judge(self) -> list[Finding]:
        self._read_the_diaries()
        self._everything_vanishes()
        if not self.findings:
            self._the_next_up_works()
            self._nothing_is_left()
        return self.findings

    def _read_the_diaries(self) -> None:
        """What a runner said: an exception that is no ClusterError, or a failure nobody caused."""
        for fighter in self.fighters:
            for news in fighter.news:
                if news["what"] in {"raised", "printed"}:
                    self._find("runner", f"{fighter}: {news.get('trace') or news.get('line')}")
                elif (
                    news["what"] == "error" and news["act"] in {"up", "down", "close"} and not fighter.struck
                ):
                    self._find(
                        "runner", f"{fighter}: {news['act']} failed with nothing done to it: {news['error']}"
                    )

    def end_what_may_live(self) -> None:
        """Clusters that need no holder run until they are ended. A paused keeper cannot end by
        itself."""
        for fighter in self.fighters:
            if fighter.script.hold and not fighter.frozen:
                continue
            try:
                ending = take_down(fighter.script.name, project=fighter.project)
            except ClusterError as error:
                self._find("down", f"{fighter}: {error}")
            else:
                if ending.forced and not fighter.struck:
                    self._find("down", f"{fighter}: had to be forced: {ending.forced}")

    def _everything_vanishes(self) -> None:
        began = time.monotonic()
        deadline = Deadline(VANISH_SECONDS)
        for fighter in self.fighters:
            if not lock_of(fighter.project, fighter.script.name).wait_free(deadline):
                self._find("lock", f"{fighter} was not released within {VANISH_SECONDS:g} s")
        if not any(fighter.needs_the_next_up for fighter in self.fighters):
            self._wait_for_nobody(deadline)
        self.slowest = time.monotonic() - began

    def _the_next_up_works(self) -> None:
        again = [
            (fighter, fighter.project / f"again-{fighter.script.worker}.jsonl") for fighter in self.fighters
        ]
        processes = []
        for fighter, log in again:
            script = {
                "name": fighter.script.name,
                "nodes": fighter.script.nodes,
                "simulate": fighter.script.simulate,
                "rung": fighter.script.rung,
                "hold": True,
                "acts": ["whole"],
                "ending": "down",
            }
            processes.append(start_runner(fighter.project, script, f"{self.mark}.again", log))
        deadline = Deadline(NEXT_UP_SECONDS)
        poll(lambda: all(process.poll() is not None for process in processes), deadline)
        for (fighter, log), process in zip(again, processes, strict=True):
            if process.poll() is None:
                process.kill()
                self._find("next up", f"{fighter}: not done within {NEXT_UP_SECONDS:g} s")
            process.wait()
            said = log.read_text()
            if process.returncode != 0 or '"error"' in said or '"over"' not in said:
                self._find("next up", f"{fighter}: {said.splitlines()[-1:]}")

    def _nothing_is_left(self) -> None:
        deadline = Deadline(VANISH_SECONDS)
        self._wait_for_nobody(deadline)
        identifiers = [cluster_identifier(f.project, f.script.name) for f in self.fighters]
        last: list[Finding] = []

        def clean() -> bool:
            last[:] = debris(self.mark, identifiers, self.folder, self.ports)
            return not last

        if not poll(clean, deadline):
            self.findings.extend(last)

    def _wait_for_nobody(self, deadline: Deadline) -> None:
        last: list[Finding] = []

        def nobody() -> bool:
            last[:] = survivors(self.mark, self.folder)
            return not last

        if not poll(nobody, deadline):
            self.findings.extend(last)

    def _find(self, kind: str, what: str) -> None:
        self.findings.append(Finding(kind, what))


def evidence(fighters: Sequence[Fighter]) -> list[str]:
    """What was done and said, and the last words of each keeper."""
    lines: list[str] = []
    for fighter in fighters:
        lines += [
            f"--- {fighter} in {fighter.project}",
            *(f"  planned: {strike}" for strike in fighter.script.strikes),
        ]
        lines += [f"  {action}" for action in fighter.actions]
        for news in fighter.news:
            told = {key: value for key, value in news.items() if key not in {"what", "status", "time"}}
            lines.append(f"  runner {news['what']}: {told}")
        for run in runs_of(
            fighter.project, fighter.script.name
        ):  # that of the round, and that of the next `up`
            lines.append(f"  run {run.path.name}")
            for path in (run.keeper_log, run.events):
                lines += [f"  {path.name} | {line}" for line in _tail(path)]
    return lines


def _tail(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()[-TAIL:]
    except OSError:
        return []
