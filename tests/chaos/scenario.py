"""What a round is going to do, decided before it begins: every decision comes from the seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Blow", "Moment", "Scenario", "Script", "Strike", "Victim", "imagine"]

FIRST_PORT, LAST_PORT = 20000, 31999
MOST_NODES = 5


class Victim(StrEnum):
    RUNNER = "runner"
    KEEPER = "keeper"
    GUARD = "guard"
    NODE = "node"
    ANYBODY = "anybody"
    """Any process of the cluster that exists then: during its start, its keeper is not known
    yet."""


class Blow(StrEnum):
    KILL = "killed"
    STUN = "paused and continued"
    STRANGLE = "paused and killed"
    FREEZE = "paused for good"


class Moment(StrEnum):
    STARTING = "while it starts"
    RUNNING = "while it runs"


@dataclass(frozen=True, slots=True)
class Strike:
    """One blow at one process. `choice` picks which, where there are several."""

    victim: Victim
    blow: Blow
    moment: Moment
    delay: float
    hold: float
    choice: int

    def __str__(self) -> str:
        return f"{self.victim} {self.blow} {self.moment}"


@dataclass(frozen=True, slots=True)
class Script:
    """What one runner does with its cluster, and what is done to it."""

    worker: int
    project: int
    name: str
    rung: str
    simulate: bool
    nodes: int
    hold: bool
    children: bool
    acts: tuple[str, ...]
    ending: str
    """close, down, or leave: without a word, as a program that crashed."""
    strikes: tuple[Strike, ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    seed: str
    first_port: int
    scripts: tuple[Script, ...]

    @property
    def strikes(self) -> list[Strike]:
        return [strike for script in self.scripts for strike in script.strikes]


ACTS = (
    "work",
    "work",
    "work",
    "call",
    "members",
    "kill",
    "pause-resume",
    "pause",
    "restart",
    "restart-one",
    "scale",
    "join",
)


def imagine(seed: int, number: int, workers: int, rungs: Sequence[str]) -> Scenario:
    """The scenario of one round. The same arguments give the same scenario."""
    own = f"{seed}/{number}"
    dice = random.Random(own)
    crowd = dice.randint(2, workers) if workers > 1 else 1
    projects = dice.randint(1, crowd)
    patient = number % 4 == 0  # processes paused for good cost many time-outs: not in every round
    return Scenario(
        own,
        first_port=dice.randrange(FIRST_PORT, LAST_PORT - 1000, 1000),
        scripts=tuple(_script(dice, worker, projects, rungs, patient) for worker in range(crowd)),
    )


def _script(dice: random.Random, worker: int, projects: int, rungs: Sequence[str], patient: bool) -> Script:
    nodes = dice.randint(1, MOST_NODES)
    hold = dice.random() < 0.7
    return Script(
        worker=worker,
        project=worker % projects,
        name=f"chaos-{worker}",
        rung=dice.choice(["auto", *rungs]),
        simulate=dice.random() < 0.2,
        nodes=nodes,
        hold=hold,
        children=dice.random() < 0.7,
        acts=tuple(dice.choice(ACTS) for _ in range(dice.randint(2, 5))),
        ending=dice.choice(["close", "down", "leave"] if hold else ["down", "leave"]),
        strikes=_strikes(dice, patient),
    )


def _strikes(dice: random.Random, patient: bool) -> tuple[Strike, ...]:
    """None, one, or two; two fall together or apart."""
    count = dice.choices([0, 1, 2], [1, 5, 6])[0]
    moment = Moment.STARTING if dice.random() < 0.35 else Moment.RUNNING
    if moment is Moment.STARTING:
        candidates = [Victim.RUNNER, Victim.ANYBODY, Victim.ANYBODY]
    else:
        candidates = [Victim.RUNNER, Victim.KEEPER, Victim.GUARD, Victim.NODE]
    together = dice.random() < 0.5
    delay = _delay(dice, moment)
    strikes = []
    for victim in dice.sample(candidates, count):
        blows = [Blow.KILL] * 5 + [Blow.STUN] * 2 + [Blow.STRANGLE] * 2
        if patient and victim in {Victim.KEEPER, Victim.GUARD, Victim.NODE}:
            blows += [Blow.FREEZE] * 9
        strikes.append(
            Strike(
                victim,
                dice.choice(blows),
                moment,
                delay if together else _delay(dice, moment),
                hold=dice.uniform(0.05, 1.5),
                choice=dice.randrange(1000),
            )
        )
    return tuple(strikes)


def _delay(dice: random.Random, moment: Moment) -> float:
    """A start takes a few hundred milliseconds besides the interpreter's; a runner works as
    long."""
    return dice.uniform(0.1, 0.6) if moment is Moment.STARTING else dice.uniform(0.0, 0.4)
