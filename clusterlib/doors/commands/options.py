"""Every option that a command can have, declared once: its name, its kind and its help are the same wherever it appears."""

from __future__ import annotations

import sys
from enum import Enum

from clusterlib.errors import UsageError
from clusterlib.frozen import frozen

__all__ = [
    "ALL",
    "ARTIFACTS",
    "BORROW",
    "COUNT",
    "EXPRESSION",
    "FOLDER",
    "FOLLOW",
    "FRESH",
    "GREP",
    "JSON",
    "LINES",
    "NAME",
    "NODE",
    "NODES",
    "PROFILE",
    "PROFILE_NAME",
    "RESOLVED",
    "ROLLING",
    "SIMULATE",
    "SINCE",
    "SOME_NODE",
    "TIMEOUT",
    "VERBOSE",
    "Kind",
    "Option",
]


class Kind(Enum):
    TEXT = "text"
    WHOLE = "whole number"
    SECONDS = "seconds"
    FLAG = "flag"


@frozen
class Option:
    name: str
    help: str
    kind: Kind = Kind.TEXT
    short: str = ""
    word: bool = False
    """May also be given as a bare word: `restart node2`."""
    required: bool = False

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    @property
    def flags(self) -> tuple[str, ...]:
        return (self.flag, f"-{self.short}") if self.short else (self.flag,)

    @property
    def takes_value(self) -> bool:
        return self.kind is not Kind.FLAG

    def read(self, given: object) -> object:
        """The value that a command works with. Raises UsageError for what is not one."""
        if self.kind is Kind.FLAG:
            return bool(given)
        if given is None:
            return None
        text = str(given)
        if not text:
            raise UsageError(f"{self._called} is empty")
        try:
            if self.kind is Kind.WHOLE:
                return _at_least(int(text), 1)
            if self.kind is Kind.SECONDS:
                return _at_least(float(text), 0.001)
        except ValueError as error:
            raise UsageError(f"{self._called} must be {_wanted(self.kind)}, not {text!r}") from error
        return text

    @property
    def _called(self) -> str:
        """As it was given: --count, or COUNT where it was a bare word."""
        bare = self.word and not any(word.partition("=")[0] == self.flag for word in sys.argv)
        return self.name.upper() if bare else self.flag


def _at_least(number: float, least: float) -> float:
    if not least <= number < 1e9:
        raise ValueError(number)
    return number


def _wanted(kind: Kind) -> str:
    return "a whole number from 1 on" if kind is Kind.WHOLE else "a number of seconds above 0"


PROFILE = Option(
    "profile", "Profile to use (see profile.list). Default: $CLUSTERLIB_PROFILE, else dev.", short="p"
)
NAME = Option(
    "name", "Name of the cluster; several can run side by side. Default: $CLUSTERLIB_NAME, else default."
)
JSON = Option("json", "Answer with one JSON document on stdout, errors included.", Kind.FLAG)
NODES = Option("nodes", "Number of nodes, instead of the profile's.", Kind.WHOLE, short="n")
SIMULATE = Option("simulate", "All nodes in one process, over in-memory transports.", Kind.FLAG)
ALL = Option("all", "Every cluster of this project.", Kind.FLAG)
NODE = Option("node", "Name of the node; may be given without --node.", word=True)
SOME_NODE = Option("node", "Name of the node; may be given without --node.", word=True, required=True)
COUNT = Option(
    "count", "Number of nodes; may be given without --count.", Kind.WHOLE, word=True, required=True
)
TIMEOUT = Option(
    "timeout", "Seconds after which the run is ended, with exit code 124.", Kind.SECONDS, short="t"
)
VERBOSE = Option("verbose", "Say more: every step, and what went on in the nodes.", Kind.FLAG, short="v")
ROLLING = Option("rolling", "One node after the other, each only when the cluster is whole again.", Kind.FLAG)
FRESH = Option(
    "fresh", "Delete the data in the nodes' folders: each starts as if for the first time.", Kind.FLAG
)
FOLLOW = Option("follow", "Go on as more comes, until the cluster ends or Ctrl-C.", Kind.FLAG, short="f")
SINCE = Option("since", "Only from then on: 30s, 5m, 2h, 1d ago, or a time such as 2026-01-31T12:00:00Z.")
GREP = Option("grep", "Only lines in which this regular expression is found.")
LINES = Option("lines", "Show the last N lines.", Kind.WHOLE)
EXPRESSION = Option("command", "Evaluate this in the node instead of prompting.", short="c")
BORROW = Option("borrow", "Use only a cluster that runs already; never start one.", Kind.FLAG)
ARTIFACTS = Option("artifacts", "Folder for the report of this run, with JUnit, logs and configurations.")
FOLDER = Option(
    "folder", "Folder of artifacts; may be given without --folder. Default: the latest.", word=True
)
PROFILE_NAME = Option("name", "Name of the profile; may be given without --name.", word=True)
RESOLVED = Option(
    "resolved", "As it holds here and now: environment applied, adapted to this machine.", Kind.FLAG
)
