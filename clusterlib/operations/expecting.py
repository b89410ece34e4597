"""What the nodes of a cluster are expected to use: the configured value, or else a measured one."""

from __future__ import annotations

from pathlib import Path

from clusterlib.health.expectation import Expected
from clusterlib.messages.status import ClusterStatus
from clusterlib.profiles import ResolvedProfile
from clusterlib.rundir.footprint import measured_footprint

__all__ = ["expected_before", "expected_of"]


def expected_before(resolved: ResolvedProfile, project: Path) -> Expected | None:
    """The expectation before a cluster of this profile is started."""
    values = resolved.values
    origin = resolved.origin("nodes.memory")
    if origin.source != "default":
        processes = values.nodes.count if values.simulate else 1
        return Expected(values.nodes.memory * processes, f"nodes.memory: {origin}")
    return _measured(project, resolved.name, driver=values.driver, simulated=values.simulate)


def expected_of(status: ClusterStatus) -> Expected | None:
    """The expectation for a running cluster, from its keeper. Its own samples are not used."""
    nodes, said = status.nodes, status.roles[0].memory_origin
    if said and nodes:
        processes = len(nodes) if status.simulated else 1
        return Expected(nodes[0].memory * processes, f"nodes.memory: {said}")
    return _measured(
        Path(status.project),
        status.profile,
        driver=status.driver,
        simulated=status.simulated,
        besides=Path(status.run),
    )


def _measured(
    project: Path, profile: str, *, driver: str, simulated: bool, besides: Path | None = None
) -> Expected | None:
    found = measured_footprint(project, profile, driver=driver, simulated=simulated, besides=besides)
    return Expected(found.memory, found.when, measured=True) if found else None
