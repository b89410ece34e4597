"""What it means that a node ended, or gave up, during its start: its application has failed, or the machine was in its way.

The difference decides what becomes of tests. An application that fails is what they are about: they fail with it, at once. A
machine that cannot start clusters may do better in a moment, and says nothing about the application."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

from clusterlib.drivers.api import NodeSpec
from clusterlib.errors import (
    ApplicationFailed,
    ClusterError,
    CommandFailed,
    CookieMismatch,
    EpmdUnavailable,
    NameTaken,
    NodeExited,
    NoDistribution,
    PortTaken,
)
from clusterlib.frozen import frozen
from clusterlib.hosts.api import Exit, Process
from clusterlib.hosts.scarcity import tells_of_scarcity

__all__ = ["EarlyEnd", "stranger_at_port"]

AS_THEY_ARE = frozenset(
    kind.code for kind in (NodeExited, NoDistribution, EpmdUnavailable, CookieMismatch, NameTaken, PortTaken)
)
"""What a driver has found out about a node by name."""
CRASHES = frozenset(
    {signal.SIGABRT, signal.SIGSEGV, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP, signal.SIGSYS}
)
"""Signals that a program brings upon itself. Others come from outside: SIGKILL from a kernel that is out of memory."""
FOREGROUND = (
    "let the program stay in the foreground, by its arguments or its configuration "
    '("daemonize no" in Redis, "daemon off;" in nginx): a node is the process that was started'
)
SHELL_SIGNAL = 128
"""A shell whose command was killed by a signal exits with this much more than its number."""


def stranger_at_port(node: NodeSpec, process: Process) -> PortTaken | None:
    """What to tell where a process that is not of this node listens on one of its ports."""
    from clusterlib.hosts.listeners import Owner, port_taken

    for port in node.ports.values():
        found = process.listener(node.address, port)
        if found.owner is Owner.STRANGER:
            return port_taken(node.name, node.address, port, found)
    return None


@frozen
class EarlyEnd:
    """A node that is of no use before it was ready, and what is known about that."""

    name: str
    exit: Exit | None
    """None while its process lives."""
    last_words: list[str]
    ports_stolen: bool
    taken: PortTaken | None = None
    """Where its words are about ports: what is known of a stranger that listens on one of its own."""

    def error(self, how: str) -> NodeExited | PortTaken:
        """It has ended without a word to its driver."""
        if self.taken is not None:
            return self._port_taken(self.taken)
        was = "was " if self.exit is not None and self.exit.signal is not None else ""
        kind = NodeExited if self._outside_is_to_blame() else ApplicationFailed
        remedies = [f"invoke cluster.logs {self.name}"]
        if self.exit is not None and self.exit.into_background:
            remedies.insert(0, FOREGROUND)
        return kind(
            f"{self.name} {how}",
            cause=f"the process {was}{self.exit}",
            evidence=self.last_words,
            remedies=remedies,
        )

    def explained(self, failure: Mapping[str, Any]) -> ClusterError:
        """It, or its driver, has told what is wrong with it."""
        code = failure.get("code")
        if code == CommandFailed.code:
            return ClusterError.from_dict(failure)  # not the node's own failure: it is told as it is
        if code in AS_THEY_ARE:
            error = ClusterError.from_dict(failure)
            error.evidence = tuple(dict.fromkeys((*error.evidence, *self.last_words)))
            return error
        if self.taken is not None:
            return self._port_taken(self.taken)
        return self._kind_of(failure)(
            f"{self.name} gave up: {failure.get('problem')}",
            cause=failure.get("cause"),
            evidence=failure.get("evidence") or self.last_words,
            remedies=failure.get("remedies") or [f"invoke cluster.logs {self.name}"],
        )

    def _port_taken(self, taken: PortTaken) -> PortTaken:
        """The stranger is the cause. The words of the node are evidence."""
        return PortTaken(taken.problem, cause=taken.cause, evidence=self.last_words, remedies=taken.remedies)

    def _kind_of(self, failure: Mapping[str, Any]) -> type[NodeExited]:
        """Where the driver says whose failure it is, it has looked; else the words of the node are judged."""
        code = failure.get("code")
        if code == ApplicationFailed.code:
            return ApplicationFailed
        return NodeExited if code is not None or self._outside_is_to_blame() else ApplicationFailed

    def _outside_is_to_blame(self) -> bool:
        return self.ports_stolen or tells_of_scarcity(self.last_words) or self._was_killed()

    def _was_killed(self) -> bool:
        if self.exit is None:
            return False
        number = self.exit.signal
        if number is None and self.exit.code is not None and self.exit.code > SHELL_SIGNAL:
            number = self.exit.code - SHELL_SIGNAL
        return number is not None and 0 < number < signal.NSIG and number not in CRASHES
