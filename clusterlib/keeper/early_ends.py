"""Decides whether a node that ended during its start shows a failure of its application or of the
machine.

This determines what happens to tests. If the application fails, the tests fail at once. If the
machine cannot start clusters, a new attempt may succeed, and the application is not to blame."""

from __future__ import annotations

import signal
from collections.abc import Iterable

from clusterlib.drivers.api import NodeSpec
from clusterlib.errors import (
    ApplicationFailed,
    ClusterError,
    CommandFailed,
    NodeExited,
    PortTaken,
    StartError,
)
from clusterlib.frozen import frozen
from clusterlib.hosts.api import Exit, Process
from clusterlib.hosts.scarcity import tells_of_scarcity
from clusterlib.remedies import do

__all__ = ["EarlyEnd", "not_given", "stranger_at_port", "worth_another_try"]

CRASHES = frozenset(
    {signal.SIGABRT, signal.SIGSEGV, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP, signal.SIGSYS}
)
"""Signals that a program causes itself.

Others come from outside: SIGKILL from a kernel that is out of memory."""
FOREGROUND = (
    "let the program stay in the foreground, by its arguments or its configuration "
    '("daemonize no" in Redis, "daemon off;" in nginx): a node is the process that was started'
)
SHELL_SIGNAL = 128
"""A shell whose command was killed by a signal exits with this plus the number of the signal."""


def stranger_at_port(node: NodeSpec, process: Process) -> PortTaken | None:
    """The error for a process outside of this node that listens on one of its ports."""
    from clusterlib.hosts.listeners import Owner, port_taken

    for port in node.ports.values():
        found = process.listener(node.address, port)
        if found.owner is Owner.STRANGER:
            return port_taken(node.name, node.address, port, found)
    return None


def not_given(node: NodeSpec, error: OSError) -> StartError:
    """The error for a node that cannot be prepared: a file is named, or it is about sockets."""
    if error.filename:
        return StartError(f"{node.name} cannot be prepared", cause=f"{error.strerror}: {error.filename}")
    return StartError(
        f"{node.name} cannot be given its ports",
        cause=error.strerror or str(error),
        remedies=[f"ss -antup 'src {node.address}'  # every socket there", "ulimit -Hn  # open files"],
    )


@frozen
class EarlyEnd:
    """A node that failed before it was ready, and what is known about that."""

    name: str
    exit: Exit | None
    """None while its process lives."""
    last_words: list[str]
    ports_stolen: bool
    taken: PortTaken | None = None
    """If its output is about ports: another process that listens on one of them."""

    def error(self, how: str) -> NodeExited | PortTaken:
        """It has ended without a message to its driver."""
        if self.taken is not None:
            return self._port_taken(self.taken)
        was = "was " if self.exit is not None and self.exit.signal is not None else ""
        kind = NodeExited if self._outside_is_to_blame() else ApplicationFailed
        remedies: list[str] = [do("cluster.logs", self.name)]
        if self.exit is not None and self.exit.into_background:
            remedies.insert(0, FOREGROUND)
        return kind(
            f"{self.name} {how}",
            cause=f"the process {was}{self.exit}",
            evidence=self.last_words,
            remedies=remedies,
        )

    def explained(self, failure: ClusterError) -> ClusterError:
        """The node, or its driver, has reported what is wrong."""
        if isinstance(failure, CommandFailed):
            return failure  # not a failure of the node itself
        if failure.explains_a_node:
            return type(failure)(
                failure.problem,
                cause=failure.cause,
                evidence=dict.fromkeys((*failure.evidence, *self.last_words)),
                remedies=failure.remedies,
            )
        if self.taken is not None:
            return self._port_taken(self.taken)
        return self._kind_of(failure)(
            f"{self.name} gave up: {failure.problem}",
            cause=failure.cause,
            evidence=failure.evidence or self.last_words,
            remedies=failure.remedies or [do("cluster.logs", self.name)],
        )

    def _port_taken(self, taken: PortTaken) -> PortTaken:
        """The other process is the cause. The output of the node is evidence."""
        return PortTaken(taken.problem, cause=taken.cause, evidence=self.last_words, remedies=taken.remedies)

    def _kind_of(self, failure: ClusterError) -> type[NodeExited]:
        """The driver's own classification if there is one, else one derived from the output of the
        node."""
        if isinstance(failure, ApplicationFailed):
            return ApplicationFailed
        classified = type(failure) is not ClusterError
        return NodeExited if classified or self._outside_is_to_blame() else ApplicationFailed

    def _outside_is_to_blame(self) -> bool:
        return self.ports_stolen or tells_of_scarcity(self.last_words) or self._was_killed()

    def _was_killed(self) -> bool:
        if self.exit is None:
            return False
        number = self.exit.signal
        if number is None and self.exit.code is not None and self.exit.code > SHELL_SIGNAL:
            number = self.exit.code - SHELL_SIGNAL
        return number is not None and 0 < number < signal.NSIG and number not in CRASHES


def worth_another_try(error: ClusterError, stolen: Iterable[bool]) -> bool:
    """Whether a cluster that did not start may start the next time.

    A lack of processes may pass, and so may a taken port; a program that fails will fail again.
    `stolen`: for each node, whether another process had taken its ports when it ended."""
    if isinstance(error, NodeExited):
        return not isinstance(error, ApplicationFailed) and any(stolen)
    return type(error) in {StartError, PortTaken}
