"""The interface of a driver: everything the keeper must know about one kind of node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol

from clusterlib.errors import ClusterError, NotSupported
from clusterlib.frozen import frozen
from clusterlib.health.probes import Rung
from clusterlib.hosts.api import Process, Spawn
from clusterlib.messages.findings import Finding
from clusterlib.messages.status import NodePlace, OwnShell
from clusterlib.network.ports import Claim
from clusterlib.remedies import do

__all__ = ["SESSION", "Driver", "Link", "Member", "NodeSpec", "NodeTexts"]

SESSION = "{session}"
"""In the words of a shell: a unique name for each session."""


@frozen
class NodeSpec(NodePlace):
    """One node with everything filled in: its place, and the environment of its process."""

    environment: Mapping[str, str] = field(default_factory=dict)

    def for_templates(self) -> dict[str, Any]:
        return {**self.place(), "index0": self.index - 1}


@frozen
class NodeTexts:
    """Fills in the texts of one node, such as settings that are templates."""

    values: Mapping[str, Any]
    """What a template is given, by name: docs/profiles.md lists it."""

    def filled(self, text: str, **more: object) -> str:
        """The text without marks. `more` are further values. Raises TemplateError."""
        from clusterlib.rendering import render_text

        return render_text(text, {**self.values, **more})


@frozen
class Member:
    """A node, as the others know it."""

    name: str
    address: str
    port: int | None
    """Of the purpose `cluster`; None if its driver has no such purpose."""


class Link(Protocol):
    """A driver's connection to one started node."""

    @property
    def view(self) -> frozenset[str]:
        """The members that this node sees alive, including itself."""

    @property
    def failure(self) -> ClusterError | None:
        """The error that the node reported about itself, or that was found out about it; None if
        there is none. It explains the end of a start. A plain `ClusterError` leaves open whether
        the application or the machine is to blame."""
        return None

    @property
    def remark(self) -> str:
        """A note about a node that is ready all the same; shown in its status."""
        return ""

    @property
    def complaint(self) -> str | None:
        """The line in which the node reported that it is broken, although it may live; None if
        there is none."""
        return None

    def begin(self, process: Process, news: asyncio.Event) -> None:
        """The process runs.

        From now on `news` must be set whenever something about the node has changed."""
        del process, news

    def hear(self, data: bytes) -> None:
        """Gets a piece of the node's output. `news` is set after it if it `matters`."""
        del data

    @property
    def matters(self) -> bool:
        """Whether the latest output may change the answer to a question."""
        return True

    def ladder(self, expected: frozenset[str]) -> list[Rung]:
        """The questions from alive to serving, when these members are expected."""

    def expect(self, members: Sequence[Member]) -> None:
        """The cluster was scaled: sends the node its present members."""
        del members

    async def ask_to_stop(self) -> bool:
        """Asks the node to stop.

        False if that is impossible; the keeper then goes on to SIGTERM."""
        return False

    async def examine(self, ready: frozenset[str], within: float) -> Mapping[str, Finding]:
        """The driver's findings about the health of a ready node, by the names of `columns`.

        `ready` are all ready nodes, including this one."""
        del ready, within
        return {}

    async def stale_files(self, within: float) -> Sequence[str] | None:
        """The files that the node has loaded by itself so far and that have changed on disk; None
        if it does not answer within so many seconds. Most nodes load only files that their driver
        knows."""
        del within
        return ()

    def close(self) -> None:
        """Releases everything that the link holds. Idempotent."""
        return


class Driver(Protocol):
    """One kind of node."""

    @property
    def name(self) -> str: ...

    @property
    def purposes(self) -> tuple[str, ...]:
        """The purposes for which each node needs a port."""

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Group and name of each finding of `Link.examine`; empty if clients ask the nodes."""
        return ()

    @property
    def stack_signal(self) -> int | None:
        """The signal that makes a node write its stacks to its `stacks_file`.

        None if nodes do not handle it, because it would end them."""
        return None

    @property
    def stacks_file(self) -> str:
        return ""

    @property
    def observe_signal(self) -> int | None:
        """The signal that makes a node answer the questions in its folder, see
        `runtime.observing`. None if nodes do not handle it."""
        return None

    def learn(self, texts: Mapping[str, NodeTexts]) -> None:
        """Is given what fills in the texts of each node, by its name.

        Called before nodes start, and when others join or leave."""
        del texts

    async def prepare(self, node: NodeSpec, hear: Callable[[bytes], None]) -> None:
        """Waits for what this node needs before it can start, and prepares its folder.

        `hear` gets the output of commands."""
        del node, hear

    def stopping(self, names: Collection[str]) -> None:
        """These nodes are about to be asked to stop, all at once, because the cluster or its part
        ends. Empty: some nodes stop, and leave the others as they are."""
        del names

    def forget(self, node: NodeSpec) -> None:
        """The node's data is deleted, because it has left the cluster or is restarted fresh.

        The next node of its name has no data."""
        del node

    def why_not_fresh(self, names: Collection[str]) -> str | None:  # noqa: ARG002 - most can begin alone
        """Why these nodes alone cannot be restarted without data; None if they can."""
        return None

    def last_words(self, node: NodeSpec) -> list[str]:  # noqa: ARG002 - most print all they have to say
        """The ends of log files that the node writes by itself, as evidence."""
        return []

    def facts(self, node: NodeSpec) -> Mapping[str, str]:  # noqa: ARG002 - most have none
        """Information for clients about this node, besides its addresses."""
        return {}

    def shell(self, node: NodeSpec) -> OwnShell | None:  # noqa: ARG002
        """The shell of this node, if it is a separate program."""
        return None

    def order(self, node: NodeSpec, claims: Mapping[str, Claim]) -> tuple[Spawn, Link]:
        """How to start this node, and the link to it once it runs."""

    async def load(
        self,
        nodes: Collection[str],  # noqa: ARG002
        modules: Mapping[str, str],  # noqa: ARG002
        gone: Collection[str],  # noqa: ARG002
    ) -> dict[str, list[str]]:
        """Makes these nodes run compiled modules (name and file) as they are on disk now, without a
        restart. Returns what each node has loaded. Most nodes read new code only when they start.
        """
        raise NotSupported(
            f"nodes of the driver {self.name!r} take no new code while they run",
            remedies=[do("cluster.restart", rolling=True)],
        )

    def ports_stolen(self, log_tail: list[str]) -> bool:
        """Whether a node ended because another process took its port."""
        return any("address already in use" in line.lower() for line in log_tail)
