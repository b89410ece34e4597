"""Whether a running cluster matches the request, and in which settings it differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlib.drivers.registry import kind_of
from clusterlib.drivers.shipped import SHIPPED
from clusterlib.errors import ClusterConflict
from clusterlib.messages.codec import plain
from clusterlib.remedies import Remedy, do
from clusterlib.values.kinds import memory_text
from clusterlib.values.overrides import Overrides
from clusterlib.values.wording import in_toml

if TYPE_CHECKING:
    from clusterlib.messages.plan import Plan, RolePlan
    from clusterlib.messages.status import ClusterStatus

__all__ = ["check_shape"]

SETTINGS = {
    "driver": "driver",
    "simulated": "simulate",
    "app": "python.app",
    "node_name": "nodes.name",
    "node_host": "nodes.host",
    "mode": "network.mode",
    "memory": "nodes.memory",
    "ports": "ports",
    "derived": "derived",
    "timeouts": "timeouts",
    "retry": "retry",
    "restart": "restart",
    "linger": "linger",
    "monitor": "monitor.interval",
}
"""The parts of a plan that are shown with their values, and the settings they come from."""
SETTINGS_BY_NAME = ("templates", "environment")
"""These have long or secret values, so only names are shown.

The same holds for the driver's settings."""
MOST = 10


def check_shape(status: ClusterStatus, profile: str | None, overrides: Overrides, project: Path) -> None:
    """Checks that the running cluster matches the request."""
    from clusterlib.client.planning import make_plan
    from clusterlib.profiles import default_profile, load_profile

    name, wanted = status.name, profile or default_profile(project)
    resolved = load_profile(wanted, project=project, overrides=overrides)
    plan = make_plan(resolved, name=name, project=project)
    if status.fingerprint != plan.fingerprint:
        found = _differences(status, plan)
        if not found and resolved.values.driver not in SHIPPED:
            found = [f"the code of the driver {resolved.values.driver} has changed"]
        scale = (
            [do("cluster.scale", plan.size)]
            if _is_of_another_size(found) and not resolved.traits.fixed
            else []
        )
        raise ClusterConflict(
            f"cluster '{name}' runs already, with another shape",
            cause=f"it runs profile {status.profile!r}; {wanted!r} as requested now differs from it",
            evidence=[f"running: {len(status.nodes)} nodes, simulated: {status.simulated}", *found],
            remedies=[*scale, _beside(wanted, overrides), do("cluster.down")],
        )


def _is_of_another_size(found: list[str]) -> bool:
    """Whether they would be the same cluster with another number of nodes."""
    return len(found) == 1 and found[0].startswith("nodes.count: ")


def _beside(profile: str, overrides: Overrides) -> Remedy:
    """The command that starts the requested cluster under another name."""
    return do(
        "cluster.up",
        profile=profile,
        name=f"{Path(profile).stem}-2",
        nodes=overrides.get("nodes.count"),
        simulate=overrides.get("simulate") or None,
    )


def _differences(status: ClusterStatus, plan: Plan) -> list[str]:
    """Compares with the plan of the run's start; it may have been scaled since."""
    from clusterlib.messages.plan import Plan

    try:
        running = Plan.from_json((Path(status.run) / "plan.json").read_text())
    except (OSError, ValueError):
        return []
    before, after = ({role.name: role for role in one.roles} for one in (running, plan))
    found = []
    if before.keys() != after.keys():
        found.append(f"roles: {', '.join(before)} run, {', '.join(after)} are requested")
    for name, old in before.items():
        if name in after:
            size = sum(node.role == name for node in status.nodes)
            unequal = _unequal_roles(size, (running, old), (plan, after[name]))
            found += [one if len(before) == 1 else f"role {name}: {one}" for one in unequal]
    return found if len(found) <= MOST else [*found[:MOST], f"and {len(found) - MOST} more"]


def _unequal_roles(size: int, running: tuple[Plan, RolePlan], asked: tuple[Plan, RolePlan]) -> Iterator[str]:
    (_, old), (_, new) = running, asked
    if size != len(new.nodes):
        yield f"nodes.count: {size} run, {len(new.nodes)} are requested"
    yield from _unequal_settings(_shape_of(*running), _shape_of(*asked))
    names = [*_unequal_names(old, new), *_unequal_for_driver(old, new)]
    yield from (f"{name} differs" for name in dict.fromkeys(names))


def _shape_of(plan: Plan, role: RolePlan) -> Mapping[str, Any]:
    return {**plain(plan), **plain(role)}


def _unequal_settings(running: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[str]:
    """Lines such as `nodes.memory: "1MiB" runs, "2MiB" is requested`."""
    for field, setting in SETTINGS.items():
        for name, old, new in _unequal(setting, running[field], asked[field]):
            yield f"{name}: {_shown(name, old)} runs, {_shown(name, new)} is requested"


def _unequal_names(running: RolePlan, asked: RolePlan) -> Iterator[str]:
    for field in SETTINGS_BY_NAME:
        yield from (name for name, _, _ in _unequal(field, getattr(running, field), getattr(asked, field)))


def _unequal_for_driver(running: RolePlan, asked: RolePlan) -> Iterator[str]:
    """The settings of the driver that differ: tables of the profile, and settings of the driver's
    own table."""
    old, new = running.settings.data, asked.settings.data
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return
    own = kind_of(asked.driver, asked.sources.roots).sections().get(asked.driver)
    settings = {one.name for one in fields(own)} if own is not None else set()
    for key in sorted(old.keys() | new.keys()):
        if key in SETTINGS_BY_NAME or old.get(key) == new.get(key):
            continue
        if isinstance(new.get(key, old.get(key)), Mapping):
            yield from (name for name, _, _ in _unequal(key, old.get(key), new.get(key)))
        elif key in settings:
            yield f"{asked.driver}.{key}"


def _unequal(name: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    both = [one for one in (old, new) if isinstance(one, Mapping)]
    if both and not any(_is_one_value(one) for one in both):
        for key in sorted({key for one in both for key in one}):
            yield from _unequal(f"{name}.{key}", _part(old, key), _part(new, key))
    elif old != new:
        yield name, old, new


def _part(table: Any, key: str) -> Any:
    return table.get(key) if isinstance(table, Mapping) else None


def _is_one_value(value: Mapping[str, Any]) -> bool:
    """A range of ports, or a port that depends on another one: such a setting is a single text."""
    return value.keys() in ({"first", "last"}, {"base", "offset"})


def _shown(name: str, value: Any) -> str:
    """The value as a profile would have it."""
    match value:
        case {"first": first, "last": last}:
            return f'"{first}-{last}"'
        case {"base": base, "offset": offset}:
            return f'"{base} {"-" if offset < 0 else "+"} {abs(offset)}"'
        case int() if name == "nodes.memory":
            return f'"{memory_text(value)}"'
        case _:
            return in_toml(value)
