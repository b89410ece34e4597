"""Adapts a profile to the machine: a pure function, with a reason for every value it changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import floor
from typing import TYPE_CHECKING

from clusterlib.frozen import frozen
from clusterlib.machine.facts import Machine
from clusterlib.numbering import host_of, name_of
from clusterlib.profiles.checks import ports_each, room_outside
from clusterlib.profiles.layers import Merged
from clusterlib.profiles.model import A_DAY, MOST_NODES, Profile
from clusterlib.profiles.origins import Adaptation
from clusterlib.values.choices import AddressMode
from clusterlib.values.kinds import memory_text
from clusterlib.values.ports import PortRange
from clusterlib.values.sources import ValueSource

if TYPE_CHECKING:
    from clusterlib.profiles.resolved import ResolvedProfile

__all__ = ["Capacity", "Resolver", "adapt", "capacity", "settle"]

Resolver = Callable[[str], str | None]
"""Why a host name does not lead to this machine; None if it does."""

PATIENCE = ("start", "stop", "call", "health")


@frozen
class Capacity:
    """How many nodes of a profile can run here, and what limits them."""

    nodes: int
    reason: str


def adapt(profile: Profile, merged: Merged, machine: Machine, resolver: Resolver) -> list[Adaptation]:
    """The changes for this machine.

    Values from the environment or the command line are not changed."""
    if not profile.adapt.enabled:
        return []
    wanted = [
        *_fewer_nodes(profile, merged, machine),
        *_more_patience(profile, machine),
        *_reachable_hosts(profile, resolver),
        *_free_ports(profile, machine),
    ]
    return [change for change in wanted if not _was_asked_for(change.field, merged)]


def settle(profile: Profile, merged: Merged) -> list[Adaptation]:
    """Changes that follow from requested values, adapted or not: one node at most means one node at
    least."""
    nodes = profile.nodes
    if nodes.min <= nodes.count:
        return []
    reason = f"{nodes.count} asked for: {merged.origin(('nodes', 'count'))}"
    return [Adaptation("nodes.min", nodes.min, nodes.count, reason)]


def capacity(resolved: ResolvedProfile) -> Capacity:
    """The largest cluster of this profile on this machine, by the same rule as for adaptation.

    The size with which the profile starts after adaptation is always possible, because it may have
    been requested explicitly."""
    profile = resolved.values
    if not profile.adapt.enabled:
        return Capacity(MOST_NODES, "adapt.enabled is false: nothing is adapted to this machine")
    fitting = _fitting(profile, resolved.merged, resolved.machine)
    count = profile.nodes.count
    if count > fitting.nodes:
        return Capacity(count, f"nodes.count is {count}: {resolved.origin('nodes.count')}")
    return Capacity(min(fitting.nodes, MOST_NODES), fitting.reason)


def _was_asked_for(field: str, merged: Merged) -> bool:
    return merged.asked_for(tuple(field.split(".")))


def _fewer_nodes(profile: Profile, merged: Merged, machine: Machine) -> Iterator[Adaptation]:
    fitting = _fitting(profile, merged, machine)
    if fitting.nodes < profile.nodes.count:
        yield Adaptation("nodes.count", profile.nodes.count, fitting.nodes, fitting.reason)


def _fitting(profile: Profile, merged: Merged, machine: Machine) -> Capacity:
    """As many as CPUs and memory can carry, and at least the profile's minimum."""
    nodes, rules = profile.nodes, profile.adapt
    by_cpu = floor(machine.cpus * rules.nodes_per_cpu)
    by_memory = floor(machine.memory * rules.memory_share / nodes.memory)
    fitting = max(min(by_cpu, by_memory), nodes.min)
    if by_cpu <= by_memory:
        plenty = f"{machine.cpus:g} {'CPU' if machine.cpus == 1 else 'CPUs'}"
    else:
        free = memory_text(machine.memory // 2**20 * 2**20) if machine.memory >= 2**20 else "less than 1MiB"
        chosen = merged.said(("nodes", "memory")).source != ValueSource.DEFAULT
        assumed = "" if chosen else " by default, as [nodes] memory is not set"
        plenty = f"{free} free, {memory_text(nodes.memory)} a node{assumed}"
    least = ", the profile's minimum" if fitting == nodes.min > min(by_cpu, by_memory) else ""
    noun = "node" if fitting == 1 else "nodes"
    return Capacity(fitting, f"{machine.name}: {plenty} -> {fitting} {noun}{least}")


def _more_patience(profile: Profile, machine: Machine) -> Iterator[Adaptation]:
    factor = profile.adapt.ci_timeout_factor
    if machine.ci is None or factor == 1:
        return
    for name in PATIENCE:
        seconds: float = getattr(profile.timeouts, name)
        longer = min(seconds * factor, A_DAY)
        if longer == seconds:
            continue
        reason = f"{machine.ci}: {factor:g} times as long -> {longer:g} s"
        yield Adaptation(f"timeouts.{name}", seconds, longer, reason)


def _reachable_hosts(profile: Profile, resolver: Resolver) -> Iterator[Adaptation]:
    pattern = profile.nodes.host
    if "{address}" in pattern:
        return
    if profile.network.mode is AddressMode.PER_NODE:
        reason = "each node has an address of its own here, and no name can be known to lead to it"
        yield Adaptation("nodes.host", pattern, "{address}", reason)
        return
    for host in _hosts(profile):
        obstacle = resolver(host)
        if obstacle is not None:
            reason = f"{host} {obstacle}"
            yield Adaptation("nodes.host", pattern, "{address}", reason)
            return


def _hosts(profile: Profile) -> Iterator[str]:
    seen: set[str] = set()
    for index in range(1, profile.nodes.count + 1):
        name = name_of(profile.nodes.name, index)
        host = host_of(profile.nodes.host, index, name=name, address="{address}")
        if host not in seen:
            seen.add(host)
            yield host


def _free_ports(profile: Profile, machine: Machine) -> Iterator[Adaptation]:
    """Shipped ranges avoid the kernel's usual range.

    If an administrator has moved that, they are moved, too."""
    taken = [ports for ports in profile.ports.values() if not ports.overlaps(machine.ephemeral)]
    for purpose, ports in profile.ports.items():
        if not ports.overlaps(machine.ephemeral):
            continue
        free = _stretch(machine.ephemeral, taken, len(ports), ports_each(profile))
        if free is None:
            continue  # the claims and retries of a start must manage without
        taken.append(free)
        reason = f"this kernel gives {machine.ephemeral} to outgoing connections"
        yield Adaptation(f"ports.{purpose}", str(ports), str(free), reason)


def _stretch(ephemeral: PortRange, taken: list[PortRange], wanted: int, least: int) -> PortRange | None:
    """As many ports as wanted, at least as many as needed; half of the free ones stay for
    others."""
    free = max(_free_spans(room_outside(ephemeral), taken), key=len, default=None)
    if free is None or len(free) < least:
        return None
    size = max(least, min(wanted, len(free) // 2))
    return PortRange(free.last - size + 1, free.last)


def _free_spans(room: list[PortRange], taken: list[PortRange]) -> Iterator[PortRange]:
    for span in room:
        first = span.first
        for other in sorted(taken, key=lambda ports: ports.first):
            if other.overlaps(span):
                if first < other.first:
                    yield PortRange(first, other.first - 1)
                first = max(first, other.last + 1)
        if first <= span.last:
            yield PortRange(first, span.last)
