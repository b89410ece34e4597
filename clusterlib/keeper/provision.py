"""Claims the ports of a plan, gives each node its address and folder, and renders its files."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clusterlib.drivers.api import Driver, Member, NodeSpec, NodeTexts
from clusterlib.errors import PortsExhausted, StartError
from clusterlib.frozen import frozen
from clusterlib.hosts.places import make_private, write_private
from clusterlib.messages.codec import plain
from clusterlib.messages.plan import NodePlan, Plan, RolePlan
from clusterlib.network.ports import AddressBlock, Claim, PortAllocator
from clusterlib.numbering import host_of
from clusterlib.remedies import do
from clusterlib.rendering import complete, render
from clusterlib.rundir.folders import RunFolder
from clusterlib.values.choices import AddressMode
from clusterlib.values.ports import PortRange

__all__ = ["Provisioner", "Rendered"]

LOOPBACK = "127.0.0.1"


@frozen
class Rendered:
    """What nodes read when they start, not written yet."""

    known: Mapping[str, NodeTexts]
    """For the driver, by node of the role."""
    folders: tuple[Path, ...]
    """Of the nodes that start."""
    files: Mapping[Path, str]


class Provisioner:
    """Places for the nodes of one role."""

    def __init__(
        self, plan: Plan, role: RolePlan, run: RunFolder, driver: Driver, allocator: PortAllocator
    ) -> None:
        self._plan = plan
        self._role = role
        self._run = run
        self._driver = driver
        self._allocator = allocator
        self._block: AddressBlock | None = None

    def place(
        self, nodes: Iterable[NodePlan], placed: Sequence[NodeSpec]
    ) -> list[tuple[NodeSpec, dict[str, Claim]]]:
        """Claims for all nodes or for none."""
        places: list[tuple[NodeSpec, dict[str, Claim]]] = []
        try:
            for node in nodes:
                known = [*placed, *(spec for spec, _ in places)]
                claims = self._claim(node, known)
                places.append((self._specify(node, claims), claims))
        except BaseException as error:
            for _, claims in places:
                _close(claims)
            if isinstance(error, OSError):
                raise StartError(
                    "the nodes cannot be given their ports",
                    cause=str(error.strerror),
                    evidence=[f"{len(places)} nodes have theirs"],
                    remedies=[
                        "ulimit -Hn  # open files allowed: half a dozen for each node",
                        "use fewer nodes",
                    ],
                ) from error
            raise
        return places

    def render(
        self,
        specs: Sequence[NodeSpec],
        chosen: Sequence[NodeSpec],
        alive: Sequence[str],
        everyone: Sequence[NodeSpec],
    ) -> Rendered:
        """What the chosen nodes read, which are about to start while the nodes in `alive` run.

        `specs` are the nodes of this role, `everyone` those of all roles."""
        plan, role = self._plan, self._role
        common: dict[str, Any] = {
            "cluster": {
                "name": plan.name,
                "project": plan.project,
                "profile": plan.profile,
                "simulated": plan.simulated,
                "nodes": [spec.for_templates() for spec in everyone],
            },
            "timeouts": plain(plan.timeouts),
            "python": {"app": role.app, "path": list(role.sources.roots)},
            "cookie_file": str(self._run.cookie),
            "alive": list(alive),
            "starting": [spec.name for spec in chosen],
        }
        search = [Path(folder) for folder in role.template_search]
        values = {spec.name: complete({**common, "node": spec.for_templates()}) for spec in specs}
        files = {
            Path(spec.directory) / output: render(template, search, values[spec.name])
            for spec in chosen
            for output, template in role.templates.items()
        }
        known = {name: NodeTexts(of_node) for name, of_node in values.items()}
        return Rendered(known, tuple(Path(spec.directory) for spec in chosen), files)

    def write(self, rendered: Rendered) -> None:
        """From now on the driver uses these values, too."""
        plan = self._plan
        self._driver.learn(rendered.known)
        try:
            self._ensure_cookie()
            for folder in rendered.folders:
                make_private(folder)
            for path, text in rendered.files.items():
                write_private(path, text)
        except OSError as error:
            import shlex

            raise StartError(
                "the files that the nodes read cannot be written",
                cause=f"{error.strerror}: {error.filename or self._run.path}",
                remedies=[
                    f"df -h {shlex.quote(str(self._run.path))}",
                    do("profile.show", plan.profile, resolved=True) + "  # see [templates]",
                ],
            ) from error

    def close(self) -> None:
        if self._block is not None:
            self._block.close()
            self._block = None

    def log_of(self, name: str) -> Path:
        return self._run.log(name)

    @staticmethod
    def members(specs: Sequence[NodeSpec]) -> list[Member]:
        return [Member(spec.name, spec.address, spec.ports.get("cluster")) for spec in specs]

    def _claim(self, node: NodePlan, placed: Sequence[NodeSpec]) -> dict[str, Claim]:
        claims: dict[str, Claim] = {}
        try:
            for purpose in self._driver.purposes:
                ports = self._role.ports[purpose]
                first, last, address = ports.first, ports.last, LOOPBACK
                if self._plan.mode is AddressMode.PER_NODE:
                    self._block = self._block or self._allocator.claim_block()
                    address = self._block.address(node.index)
                    if placed:
                        first = last = placed[0].ports[purpose]
                if not self._claim_one(purpose, PortRange(first, last), address, claims):
                    raise self._derived_taken(purpose, address)
        except BaseException:
            _close(claims)
            raise
        return claims

    def _claim_one(self, purpose: str, ports: PortRange, address: str, claims: dict[str, Claim]) -> bool:
        """A port of that range together with those that depend on it; another one if one of these
        is taken."""
        following = {name: one.offset for name, one in self._role.derived.items() if one.base == purpose}
        in_order = _is_pinned(self._role, ports)
        tried: set[int] = set()
        while True:
            try:
                claim = self._allocator.claim(
                    address, ports.first, ports.last, avoid=tried, in_order=in_order
                )
            except PortsExhausted:
                if tried:
                    return False
                raise
            tried.add(claim.port)
            together = self._claim_following(purpose, claim, following)
            if together is not None:
                claims.update(together)
                return True

    def _claim_following(
        self, purpose: str, claim: Claim, following: Mapping[str, int]
    ) -> dict[str, Claim] | None:
        """The claim together with those of the ports that depend on it; None, and none of them, if
        one of these is taken."""
        got = {purpose: claim}
        try:
            for name, offset in following.items():
                other = self._allocator.claim_exactly(claim.address, claim.port + offset)
                if other is None:
                    break
                got[name] = other
            else:
                return got
        except BaseException:
            _close(got)
            raise
        _close(got)
        return None

    def _derived_taken(self, purpose: str, address: str) -> PortsExhausted:
        following = [name for name, one in self._role.derived.items() if one.base == purpose]
        return PortsExhausted(
            f"no port for {purpose} on {address} has its {' and '.join(following)} free, too",
            cause="for each free port of the range, one that depends on it is taken",
            remedies=["widen the range in the profile, under [ports]", "ss -antup"],
        )

    def _specify(self, node: NodePlan, claims: dict[str, Claim]) -> NodeSpec:
        address = next(iter(claims.values())).address if claims else LOOPBACK
        return NodeSpec(
            name=node.name,
            role=self._role.name,
            index=node.index,
            address=address,
            host=host_of(self._role.node_host, node.index, name=node.name, address=address),
            ports={purpose: claim.port for purpose, claim in claims.items()},
            directory=str(self._run.node(node.name)),
            memory=self._role.memory,
            environment=self._environment(node),
        )

    def _environment(self, node: NodePlan) -> dict[str, str]:
        own = {"CLUSTERLIB_NODE": node.name, "CLUSTERLIB_NAME": self._plan.name}
        return {**os.environ, **self._role.environment, **own}

    def _ensure_cookie(self) -> None:
        if not self._run.cookie.exists():
            write_private(self._run.cookie, secrets.token_hex(32), mode=0o400)


def _close(claims: Mapping[str, Claim]) -> None:
    for claim in claims.values():
        claim.close()


def _is_pinned(role: RolePlan, ports: PortRange) -> bool:
    """Whether the range is no larger than the role.

    Then node1 has the first of its ports, each time."""
    return ports.last - ports.first < len(role.nodes)
