"""What a driver is: everything the keeper must know about one kind of node, and nothing about any other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol

from clusterlib.errors import NotSupported
from clusterlib.frozen import frozen
from clusterlib.health.probes import Rung
from clusterlib.hosts.api import Process, Spawn
from clusterlib.messages.findings import Finding
from clusterlib.messages.status import NodePlace, OwnShell
from clusterlib.network.ports import Claim

__all__ = ["SESSION", "Driver", "Link", "NodeSpec"]

SESSION = "{session}"
"""In the words of a shell: a name that no other session has at the same time."""


@frozen
class NodeSpec(NodePlace):
    """One node with everything filled in: where it is, and the environment of its process."""

    environment: Mapping[str, str] = field(default_factory=dict)

    def for_templates(self) -> dict[str, Any]:
        return {**self.place(), "index0": self.index - 1}


class Link(Protocol):
    """A driver's conversation with one started node."""

    @property
    def view(self) -> frozenset[str]:
        """The members this node sees alive, itself included."""

    @property
    def failure(self) -> dict[str, Any] | None:
        """The error the node reported about itself, as data; None while all is well."""
        return None

    @property
    def remark(self) -> str:
        """What is to be known of a node that is ready all the same; shown in its status."""
        return ""

    @property
    def complaint(self) -> str | None:
        """The line in which the node said that it is broken, though it may live; None while it has said none."""
        return None

    def begin(self, process: Process, news: asyncio.Event) -> None:
        """The process runs; from now on `news` is set whenever something about the node changed."""
        del process, news

    def hear(self, data: bytes) -> None:
        """A piece of what the node prints; `news` is set after it where that `matters`."""
        del data

    @property
    def matters(self) -> bool:
        """Whether what was heard last may change the answer to a question."""
        return True

    def ladder(self, expected: frozenset[str]) -> list[Rung]:
        """The questions from alive to serving, when these members are expected."""

    def expect(self, roster: list[dict[str, Any]]) -> None:
        """The cluster was scaled: tells the node who belongs to it now."""
        del roster

    async def ask_to_stop(self) -> bool:
        """Asks politely. False where the node has no ear for it; the keeper then goes on to SIGTERM."""
        return False

    async def examine(self, ready: frozenset[str], within: float) -> Mapping[str, Finding]:
        """What the driver itself finds out about the health of a node that is ready, by the names of `columns`.

        `ready` are all that are, this one among them."""
        del ready, within
        return {}

    async def stale_files(self, within: float) -> Sequence[str] | None:
        """The files that the node has loaded by itself, up to now, and that are others on disk; None where it does not say so
        within so many seconds. Most nodes load only what their driver knows of."""
        del within
        return ()

    def close(self) -> None:
        """Lets go of everything the link holds. Idempotent."""
        return


class Driver(Protocol):
    """One kind of node."""

    @property
    def name(self) -> str: ...

    @property
    def purposes(self) -> tuple[str, ...]:
        """What each node needs ports for."""

    @property
    def fixed(self) -> str | None:
        """Why nodes cannot be added or taken away; None where they can."""
        return None

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Group and name of each finding of `Link.examine`; none where nodes are asked by clients."""
        return ()

    @property
    def stack_signal(self) -> int | None:
        """Has a node write its stacks to its `stacks_file`; None where nodes do not know the signal, which ends them."""
        return None

    @property
    def stacks_file(self) -> str:
        return ""

    def learn(self, values: Mapping[str, Mapping[str, Any]]) -> None:
        """What each node's templates are filled with, by its name. Told before nodes start, and when others come or go."""
        del values

    async def prepare(self, node: NodeSpec, hear: Callable[[bytes], None]) -> None:
        """Waits for what must be there before this node can start, and readies its folder; `hear` gets what commands print."""
        del node, hear

    def stopping(self, names: Collection[str]) -> None:
        """These nodes are about to be asked to stop, all at once; none named: one, as if others went on."""
        del names

    def forget(self, node: NodeSpec) -> None:
        """Its data goes: it has left the cluster, or begins anew. The next node of its name begins with nothing."""
        del node

    def why_not_fresh(self, names: Collection[str]) -> str | None:  # noqa: ARG002 - most can begin alone
        """Why these nodes, and no others, cannot begin with no data; None where they can."""
        return None

    def last_words(self, node: NodeSpec) -> list[str]:  # noqa: ARG002 - most print all they have to say
        """The ends of log files that the node writes by itself: evidence."""
        return []

    def facts(self, node: NodeSpec) -> Mapping[str, str]:  # noqa: ARG002 - most have none
        """What clients are told of this node besides its places."""
        return {}

    def shell(self, node: NodeSpec) -> OwnShell | None:  # noqa: ARG002
        """The shell of this node, where that is a program of its own."""
        return None

    def order(self, node: NodeSpec, claims: Mapping[str, Claim]) -> tuple[Spawn, Link]:
        """How to start this node, and the link to talk to it once it runs."""

    async def load(
        self,
        nodes: Collection[str],  # noqa: ARG002
        modules: Mapping[str, str],  # noqa: ARG002
        gone: Collection[str],  # noqa: ARG002
    ) -> dict[str, list[str]]:
        """Has these nodes run compiled modules (name and file) as they are on disk now, without a restart; gives what each was
        given. Most take new code only when they start."""
        raise NotSupported(
            f"nodes of the driver {self.name!r} take no new code while they run",
            remedies=["invoke cluster.restart --rolling"],
        )

    def ports_stolen(self, log_tail: list[str]) -> bool:
        """Whether a node that ended did so because somebody took its port."""
        return any("address already in use" in line.lower() for line in log_tail)
