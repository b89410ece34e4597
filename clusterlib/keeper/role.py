"""The nodes of one role: which belong to it, which of them each should see, and what they were
started with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack

from clusterlib.drivers.api import Driver, NodeSpec
from clusterlib.hosts.api import Exit, Host
from clusterlib.keeper.code_at_start import CodeAtStart
from clusterlib.keeper.event_log import Tell
from clusterlib.keeper.node import ManagedNode
from clusterlib.keeper.provision import Provisioner, Rendered
from clusterlib.messages.plan import NodePlan, RolePlan
from clusterlib.messages.states import NodeState
from clusterlib.messages.status import RoleStatus

__all__ = ["Ended", "ManagedRole"]

Ended = Callable[[ManagedNode, Exit], None]


class ManagedRole:
    """The nodes of one role, their driver, and what they were started with."""

    def __init__(
        self,
        plan: RolePlan,
        driver: Driver,
        host: Host,
        provisioner: Provisioner,
        code: CodeAtStart,
        tell: Tell,
        ended: Ended,
    ) -> None:
        self.nodes: dict[str, ManagedNode] = {}
        self.plan = plan
        self.driver = driver
        self.code = code
        self._host = host
        self._provisioner = provisioner
        self._tell = tell
        self._ended = ended
        self._awaited: set[ManagedNode] = set()
        """The nodes whose start is being waited for."""
        self._expected: frozenset[str] | None = None

    @property
    def whole(self) -> bool:
        """Whether every node is ready and sees every other."""
        everyone = frozenset(self.nodes)
        return all(n.state is NodeState.READY and n.view >= everyone for n in self.nodes.values())

    def ready(self) -> dict[str, ManagedNode]:
        return {name: node for name, node in self.nodes.items() if node.state is NodeState.READY}

    def status(self) -> RoleStatus:
        plan = self.plan
        return RoleStatus(plan.name, plan.driver, plan.memory_origin, plan.sources, plan.server)

    # -- joining

    def admit(self, plans: Iterable[NodePlan]) -> list[ManagedNode]:
        """Gives these nodes their places among the others. All are admitted, or none."""
        placed = self._provisioner.place(plans, [node.spec for node in self.nodes.values()])
        admitted = [
            ManagedNode(
                spec,
                claims,
                self.driver,
                self._host,
                self._provisioner.log_of(spec.name),
                self._tell,
                self._node_ended,
            )
            for spec, claims in placed
        ]
        self.nodes.update((node.name, node) for node in admitted)
        return admitted

    async def read_code(self, starting: list[ManagedNode], *, as_planned: bool) -> None:
        """Before the files are written, so that a change meanwhile counts as one."""
        planned = self.plan.code if as_planned else None
        await self.code.read([node.name for node in starting], planned)

    def render(self, starting: list[ManagedNode], everyone: list[NodeSpec]) -> Rendered:
        """The files that these nodes read when they start; nothing is written. `everyone` are the
        nodes of all roles. See `Members.prepare`."""
        alive = [node.name for node in self.nodes.values() if node.living and node not in starting]
        specs, chosen = [[node.spec for node in some] for some in (self.nodes.values(), starting)]
        return self._provisioner.render(specs, chosen, alive, everyone)

    def write(self, rendered: Rendered) -> None:
        self._provisioner.write(rendered)

    def expected(self) -> frozenset[str]:
        """The nodes that each node should see.

        Asked at every piece of news, so it is made only when a state has changed."""
        if self._expected is None:
            ready = (n.name for n in self.nodes.values() if n in self._awaited or n.state is NodeState.READY)
            self._expected = frozenset(ready)
        return self._expected

    def awaits(self, node: ManagedNode) -> bool:
        """Whether its start is being waited for, so that its end will be noticed."""
        return node in self._awaited

    def begin_to_await(self, nodes: Iterable[ManagedNode]) -> None:
        """These nodes start now, with the code that was read for them."""
        starting = list(nodes)
        self.code.starts([node.name for node in starting])
        self._awaited.update(starting)
        self.look_again()

    def await_no_longer(self, nodes: Iterable[ManagedNode]) -> None:
        self._awaited.difference_update(nodes)

    def remembers(self, names: Iterable[str]) -> bool:
        """Whether a node still sees a former life of one of these."""
        sought = frozenset(names)
        return any(sought & node.view for node in self.ready().values())

    def blind(self, newcomers: Iterable[ManagedNode]) -> list[str]:
        """The nodes that do not see all of these that are ready."""
        ready = self.ready()
        sought = {node.name for node in newcomers} & ready.keys()
        return [name for name, node in ready.items() if not sought <= node.view]

    # -- membership

    def tell_all(self) -> None:
        """Tells every node which nodes belong to the role now."""
        members = self._provisioner.members([node.spec for node in self.nodes.values()])
        for node in self.nodes.values():
            node.expect(members)

    def look_again(self) -> None:
        """A state changed: a node that waits to see all that are ready need not wait for one that
        is not."""
        self._expected = None
        for node in self._awaited:
            node.look_again()

    def forget(self, node: ManagedNode) -> None:
        node.close()
        self.driver.forget(node.spec)
        del self.nodes[node.name]
        self.code.forget(node.name)

    def close(self) -> None:
        with ExitStack() as closing:  # each, whatever happens in the others
            closing.callback(self._provisioner.close)
            for node in self.nodes.values():
                closing.callback(self.driver.forget, node.spec)
                closing.callback(node.close)

    def _node_ended(self, node: ManagedNode, how: Exit) -> None:
        self.look_again()
        self._ended(node, how)
