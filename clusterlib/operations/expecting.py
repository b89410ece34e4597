"""What the nodes of a cluster are expected to use: the configured value, or else a measured one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clusterlib.health.expectation import Expected
from clusterlib.messages.status import ClusterStatus, RoleStatus
from clusterlib.profiles import ResolvedProfile
from clusterlib.profiles.model import ONLY_ROLE
from clusterlib.rundir.footprint import measured_footprint
from clusterlib.values.sources import ValueSource

__all__ = ["expected_before", "expected_of"]


def expected_before(resolved: ResolvedProfile, project: Path) -> Expected | None:
    """The expectation before a cluster of this profile is started."""
    values = resolved.values
    origin = resolved.origin("nodes.memory")
    if origin.source != ValueSource.DEFAULT:
        processes = values.nodes.count if values.simulate else 1
        return Expected(values.nodes.memory * processes, f"nodes.memory: {origin}")
    return _measured(project, resolved.name, role=ONLY_ROLE, driver=values.driver, simulated=values.simulate)


def expected_of(status: ClusterStatus) -> Mapping[str, Expected | None]:
    """The expectation for a process of each role of a running cluster, from its keeper. Its own
    samples are not used."""
    return {role.name: _written(status, role) or _measured_before(status, role) for role in status.roles}


def _written(status: ClusterStatus, role: RoleStatus) -> Expected | None:
    """Simulated nodes are one process, with the nodes of all roles."""
    roles = status.roles if status.simulated else (role,)
    if not all(one.memory_origin for one in roles):
        return None
    places = " and ".join(dict.fromkeys(one.memory_origin for one in roles))
    memory = [node.memory for node in status.nodes if status.simulated or node.role == role.name]
    return (
        Expected(sum(memory) if status.simulated else memory[0], f"nodes.memory: {places}")
        if memory
        else None
    )


def _measured_before(status: ClusterStatus, role: RoleStatus) -> Expected | None:
    return _measured(
        Path(status.project),
        status.profile,
        role=role.name,
        driver=role.driver,
        simulated=status.simulated,
        besides=Path(status.run),
    )


def _measured(
    project: Path, profile: str, *, role: str, driver: str, simulated: bool, besides: Path | None = None
) -> Expected | None:
    found = measured_footprint(
        project, profile, role=role, driver=driver, simulated=simulated, besides=besides
    )
    return Expected(found.memory, found.when, measured=True) if found else None
