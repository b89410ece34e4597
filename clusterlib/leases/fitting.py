"""Whether a running cluster is suitable for a test."""

from __future__ import annotations

from pathlib import Path

from clusterlib.leases.terms import Terms
from clusterlib.messages.plan import Plan
from clusterlib.messages.status import ClusterStatus
from clusterlib.profiles import load_profile
from clusterlib.rundir.folders import RunFolder
from clusterlib.values.overrides import Overrides

__all__ = ["misfit"]


def misfit(
    status: ClusterStatus, terms: Terms, overrides: Overrides, *, simulated: bool | None = None
) -> str | None:
    """Why it is not a cluster of this profile, regardless of its size; None if it is.

    `simulated` None: as the profile says."""
    wanted = terms.resolved
    if status.profile != wanted.name:
        return f"is of profile {status.profile}, tests ask for {wanted.name}"
    alike = wanted.values.simulate if simulated is None else simulated
    if status.simulated != alike:
        return (
            "is simulated, tests ask for a real one"
            if not alike
            else "is real, tests ask for a simulated one"
        )
    here = {**overrides, "nodes.count": _first_size(status), "simulate": alike}
    same = load_profile(terms.profile, project=wanted.project, overrides=here).fingerprint()
    if not same.startswith(status.fingerprint):
        return f"was started with other settings than profile {wanted.name} has now"
    return None


def _first_size(status: ClusterStatus) -> int:
    """The number of nodes at its start, which is part of its fingerprint.

    It may have been scaled since."""
    plan = RunFolder(Path(status.run)).plan
    try:
        return Plan.from_json(plan.read_text()).size
    except (OSError, ValueError):
        return len(status.nodes)
