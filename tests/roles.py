"""Clusters of several roles. Profiles have one each, so the plan is made of several plans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import clusterlib
from clusterlib.client.boot import Boot
from clusterlib.client.planning import plan_for
from clusterlib.client.start import lock_of
from clusterlib.hosts.places import socket_path
from clusterlib.messages.plan import Plan, RolePlan

__all__ = ["plan_with", "role", "start_plan"]

NAME = "roles"


def role(profile: str, name: str, project: Path, **overrides: object) -> RolePlan:
    """The only role of that profile, under another name."""
    named = {"nodes.name": name + "{index}", **overrides}
    (only,) = plan_for(profile, name=NAME, project=project, overrides=named).roles
    return replace(only, name=name)


def plan_with(project: Path, *roles: RolePlan, **overrides: object) -> Plan:
    return replace(plan_for("dev", name=NAME, project=project, overrides=overrides), roles=roles)


def start_plan(plan: Plan) -> clusterlib.Cluster:
    """Starts a cluster of this plan as `up` does."""
    project = Path(plan.project)
    lock = lock_of(project, plan.name)
    assert lock.take()
    boot = Boot(lock, socket_path(plan.identifier), project, plan.name)
    lock.let_go()
    try:
        return boot.start(plan, None)
    except BaseException:
        boot.give_up()
        raise
