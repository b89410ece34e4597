"""Chaos: clusters are started and used from several processes at once, while runners, keepers,
guards and nodes are killed or paused.

    python -m tests.chaos [--rounds 5] [--suites 15] [--seed N] [--workers 4] [--only ROUND]
    python -m tests.chaos --look

In a second kind of round, two checkouts run their suites with pytest-xdist and the plugin, and
runners are killed.

After each round nothing may be left, and the next `up` must work. Every decision comes from the
seed, which is printed; the moments at which blows fall are as exact as the machine is idle.
`--look` only looks for leftovers of ours on this machine."""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from clusterlib.hosts.containment import RUNGS
from tests.chaos.battle import Battle
from tests.chaos.leftovers import Finding, around, running_clusters
from tests.chaos.scenario import imagine
from tests.chaos.suites import Duel

__all__ = ["main"]

TRY_RUNG = "import sys; from clusterlib.hosts.containment import enter; enter(sys.argv[1], marker='chaos', on_keeper_death=int)"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    if options.look:
        return look_around()
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    rungs = available_rungs()
    say(
        f"seed {seed}, {options.rounds} rounds, up to {options.workers} runners at once, containment: {', '.join(rungs)}"
    )
    marked = f"{os.getpid()}x{seed}"

    def battle(number: int) -> Round:
        return Battle(imagine(seed, number, options.workers, rungs), f"{marked}.{number}")

    def duel(number: int) -> Round:
        return Duel(seed, number, f"{marked}.suites{number}")

    again = f"python -m tests.chaos --seed {seed} --workers {options.workers}"
    fought = fight("round", battle, _numbers(options.only, options.rounds), f"{again} --suites 0")
    if fought == 0:
        fought = fight("suites", duel, _numbers(options.only, options.suites), f"{again} --rounds 0")
    return fought


class Round(Protocol):
    """One round of either kind."""

    folder: Path

    def fight(self) -> list[Finding]: ...
    def summary(self) -> str: ...
    def evidence(self) -> list[str]: ...
    def tidy(self) -> None: ...


def fight(what: str, make: Callable[[int], Round], numbers: Sequence[int], again: str) -> int:
    began = time.monotonic()
    for number in numbers:
        one = make(number)
        findings = one.fight()
        say(f"{what} {number}: {one.summary()}: {'nothing left' if not findings else 'FAILED'}")
        if findings:
            report = [f"  {finding}" for finding in findings]
            say("\n".join(["what is wrong:", *report, "what happened:", *one.evidence()]))
            say(f"again: {again} --only {number}; see {one.folder}")
            return 1
        one.tidy()
    if numbers:
        say(f"{len(numbers)} x {what} in {time.monotonic() - began:.1f} s: nothing is left")
    return 0


def _numbers(only: int | None, count: int) -> Sequence[int]:
    return [only] if only and count else range(1, count + 1)


def look_around() -> int:
    for cluster in running_clusters():
        say(f"running: {cluster}")
    findings = around()
    for finding in findings:
        say(f"left behind: {finding}")
    if not findings:
        say("nothing is left behind")
    return 1 if findings else 0


def available_rungs() -> list[str]:
    """The rungs this machine allows this user."""
    return [
        rung
        for rung in RUNGS
        if rung != "auto"
        and subprocess.run(
            [sys.executable, "-c", TRY_RUNG, rung], capture_output=True, check=False
        ).returncode
        == 0
    ]


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description="Kills at random, and looks for what is left."
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--suites", type=int, default=15, help="rounds in which two checkouts run their tests at once"
    )
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--workers", type=int, default=4, help="how many runners at once, at most")
    parser.add_argument(
        "--only", type=int, default=None, metavar="ROUND", help="this round of the seed alone"
    )
    parser.add_argument("--look", action="store_true", help="only look for leftovers on this machine")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
