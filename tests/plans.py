"""Plans, and parts of plans: as the default profile has them, but for what a test changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from clusterlib.messages.codec import Packed
from clusterlib.messages.plan import (
    Backoff,
    Build,
    CodeSources,
    NodePlan,
    Plan,
    RestartPolicy,
    RolePlan,
    Timeouts,
)
from clusterlib.profiles.model import Profile
from clusterlib.values.choices import AddressMode
from clusterlib.values.ports import PortRange

__all__ = ["backoff", "build_of", "changed", "plan_of", "restart_policy", "role_plan", "timeouts"]

T = TypeVar("T", Timeouts, Backoff, RestartPolicy)


def timeouts(**changes: float) -> Timeouts:
    return _like(Timeouts, Profile().timeouts, changes)


def backoff(**changes: float) -> Backoff:
    return _like(Backoff, Profile().retry, changes)


def restart_policy(policy: str = "never", **changes: float) -> RestartPolicy:
    return _like(RestartPolicy, Profile().restart, {"policy": policy, **changes})


def build_of(
    command: tuple[str, ...],
    inputs: tuple[str, ...] = (),
    rebuild: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
    seconds: float = Profile().timeouts.build,
) -> Build:
    return Build(command, inputs, rebuild, environment or {}, seconds, "beam.path", ("beam.build",))


def role_plan(driver: str, name: str = "node", *, count: int = 3, **changes: Any) -> RolePlan:
    """A role whose nodes are named after it: node1, node2, ..."""
    pattern = name + "{index}"
    role = RolePlan(
        name=name,
        driver=driver,
        settings=Packed({}),
        nodes=tuple(NodePlan.of(pattern, index) for index in range(1, count + 1)),
        node_name=pattern,
        node_host="localhost",
        ports={"cluster": PortRange(28000, 28499), "http": PortRange(28500, 28999)},
        derived={},
        templates={},
        template_search=(),
        environment={},
        memory=0,
        memory_origin="",
        app=None,
        sources=CodeSources(),
        code={},
        fixed="",
        driver_code="",
        server="",
    )
    return replace(role, **changes)


def plan_of(*roles: RolePlan, **changes: Any) -> Plan:
    plan = Plan(
        identifier="test",
        name="test",
        project="/nowhere",
        profile="test",
        simulated=False,
        fingerprint="f",
        mode=AddressMode.SHARED,
        timeouts=timeouts(),
        retry=backoff(),
        restart=restart_policy(),
        linger=0.0,
        monitor=0.0,
        leased=True,
        adaptations=(),
        roles=roles,
    )
    return replace(plan, **changes)


def changed(plan: Plan, changes: Mapping[str, Any]) -> Plan:
    """The plan with changes of its own fields, and of those of all its roles."""
    of_roles = {one.name for one in fields(RolePlan)} - {one.name for one in fields(Plan)}
    told = {name: value for name, value in changes.items() if name in of_roles}
    own = {name: value for name, value in changes.items() if name not in of_roles}
    return replace(plan, **{"roles": tuple(replace(role, **told) for role in plan.roles), **own})


def _like(kind: type[T], section: object, changes: dict[str, Any]) -> T:
    names = [one.name for one in fields(kind)]
    assert changes.keys() <= set(names)
    return kind(**{name: changes.get(name, getattr(section, name)) for name in names})
