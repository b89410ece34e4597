"""From a resolved profile to a plan. Client side only: this is where profiles are known."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from clusterlib.lifecycle.folders import cluster_identifier
from clusterlib.lifecycle.plan import Backoff, NodePlan, Plan, PortRange, RestartPolicy, Timeouts
from clusterlib.profiles import ResolvedProfile, load_profile, template_folders
from clusterlib.runtime.code import fingerprint

V = TypeVar("V", Timeouts, Backoff, RestartPolicy)

__all__ = ["code_of", "code_roots", "make_plan", "plan_for"]


def plan_for(
    profile: str,
    *,
    name: str,
    project: Path,
    overrides: Mapping[str, object] | None = None,
    held: bool = True,
) -> Plan:
    """Reads the profile and resolves everything that can be known before ports are claimed."""
    return make_plan(
        load_profile(profile, project=project, overrides=overrides), name=name, project=project, held=held
    )


def make_plan(resolved: ResolvedProfile, *, name: str, project: Path, held: bool = True) -> Plan:
    values = resolved.values
    nodes = values.nodes
    roots = code_roots(resolved, project)
    return Plan(
        identifier=cluster_identifier(project, name),
        name=name,
        project=str(project),
        profile=resolved.name,
        driver=values.driver,
        simulated=values.simulate,
        nodes=tuple(NodePlan(nodes.name.format(index=index), index) for index in range(1, nodes.count + 1)),
        node_name=nodes.name,
        node_host=nodes.host,
        fingerprint=resolved.fingerprint()[:16],
        code=code_of(roots),
        mode=values.network.mode,
        memory=nodes.memory,
        ports={purpose: PortRange(ports.first, ports.last) for purpose, ports in values.ports.items()},
        timeouts=_same(Timeouts, values.timeouts),
        retry=_same(Backoff, values.retry),
        restart=_same(RestartPolicy, values.restart),
        linger=values.linger,
        held=held,
        templates=dict(values.templates),
        template_search=tuple(str(folder) for folder in template_folders(project)),
        environment=dict(values.environment),
        app=values.python.app,
        code_roots=tuple(str(root) for root in roots),
        adaptations=tuple(str(adaptation) for adaptation in resolved.adaptations),
    )


def code_roots(resolved: ResolvedProfile, project: Path) -> list[Path]:
    return [Path(os.path.normpath(project / path)) for path in resolved.values.python.path]


def code_of(roots: list[Path]) -> dict[str, str]:
    """The project's code as it is now, file by file."""
    return dict(fingerprint(roots)[1])


def _same(kind: type[V], section: object) -> V:
    """The plan's own value with the same names: the keeper must not need to know what profiles are made of."""
    return kind(**{name: getattr(section, name) for name in kind.__slots__})
