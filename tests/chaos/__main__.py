"""Chaos: clusters are started and used from several processes at once, while runners, keepers, guards and nodes are
killed or paused.

    python -m tests.chaos [--rounds 5] [--seed N] [--workers 4] [--only ROUND]
    python -m tests.chaos --look

After each round nothing may be left, and the next `up` must work. Every decision comes from the seed, which is printed; the
moments at which blows fall are as exact as the machine is idle. `--look` only looks for leftovers of ours on this machine."""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence

from clusterlib.hosts.containment import RUNGS
from tests.chaos.battle import Battle
from tests.chaos.leftovers import around, running_clusters
from tests.chaos.scenario import imagine

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
    began = time.monotonic()
    numbers = [options.only] if options.only else range(1, options.rounds + 1)
    for number in numbers:
        battle = Battle(imagine(seed, number, options.workers, rungs), f"{os.getpid()}x{seed}.{number}")
        findings = battle.fight()
        say(f"round {number}: {battle.summary()}: {'nothing left' if not findings else 'FAILED'}")
        if findings:
            report = [f"  {finding}" for finding in findings]
            say("\n".join(["what is wrong:", *report, "what happened:", *battle.evidence()]))
            say(
                f"again: python -m tests.chaos --seed {seed} --workers {options.workers} --only {number}; see {battle.folder}"
            )
            return 1
        battle.tidy()
    say(
        f"{len(numbers)} rounds in {time.monotonic() - began:.1f} s: nothing is left, every next `up` worked (seed {seed})"
    )
    return 0


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
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--workers", type=int, default=4, help="how many runners at once, at most")
    parser.add_argument(
        "--only", type=int, default=None, metavar="ROUND", help="this round of the seed alone"
    )
    parser.add_argument("--look", action="store_true", help="only look for leftovers on this machine")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
