"""Updates running nodes to the current code of the project: by loading if the driver can, else by
restarts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.client.code.looking import RoleCode, look_at_code, looked_at, nodes_to_restart
from clusterlib.disk.code import modules_of
from clusterlib.drivers.registry import calls_of
from clusterlib.errors import StaleCode
from clusterlib.frozen import frozen
from clusterlib.messages.states import NodeState
from clusterlib.remedies import do

if TYPE_CHECKING:
    from clusterlib.client.cluster import Cluster
    from clusterlib.client.connection import Listener
    from clusterlib.messages.status import ClusterStatus

__all__ = ["Synced", "sync_code"]


@frozen
class Synced:
    """What was done so that all nodes run the code that is on disk."""

    changed: tuple[str, ...]
    """The files that differ from those that the nodes ran before."""
    loaded: Mapping[str, tuple[str, ...]]
    """The modules that each node has loaded, by node."""
    restarted: tuple[str, ...]
    """The nodes that were restarted: one after another, except simulated ones."""
    why: str = ""
    """Why loading was not possible."""
    looked_at: tuple[str, ...] = ()
    """What was compared with the disk, in plain words, if this is not everything that the nodes
    run."""


def sync_code(cluster: Cluster, on_event: Listener | None = None) -> Synced:
    """Builds the project, and makes every node run the result."""
    status = cluster.status()
    look = look_at_code(cluster, on_event)
    loadable = {
        one.role.name: calls_of(one.role.driver, one.role.sources.roots).loads_code for one in look.roles
    }
    why = {one.role.name: _why_not_loaded(loadable[one.role.name], one) for one in look.roles}
    restarted = nodes_to_restart(status, [role for role, reason in why.items() if reason])
    _check_asked(cluster, status, [name for name in look.unasked if name not in restarted])
    if restarted:
        # A simulated node that starts among others has the modules that they have loaded.
        cluster.restart(*restarted, rolling=not cluster.simulated, on_event=on_event)
    loading = [one for one in look.roles if loadable[one.role.name] and not why[one.role.name]]
    loaded = {name: modules for one in loading for name, modules in _load(cluster, one, on_event).items()}
    return Synced(
        look.changed,
        loaded,
        restarted,
        "; ".join(dict.fromkeys(filter(None, why.values()))),
        looked_at([one.role for one in look.roles if one not in loading], cluster.project),
    )


def _check_asked(cluster: Cluster, status: ClusterStatus, unasked: Sequence[str]) -> None:
    if unasked:
        silent = unasked[0]
        raise StaleCode(
            f"{', '.join(unasked)} could not be asked which code it runs",
            cause="it is paused, or too busy to answer",
            remedies=[
                *([do("cluster.resume", silent)] if _is_paused(status, silent) else []),
                do("cluster.restart", silent),
            ],
        ).of_cluster(cluster.name)


def _is_paused(status: ClusterStatus, name: str) -> bool:
    node = status.node(name)
    return node is not None and node.state is NodeState.PAUSED


def _load(cluster: Cluster, one: RoleCode, on_event: Listener | None) -> dict[str, tuple[str, ...]]:
    """The modules that each node has loaded."""
    modules = {name: str(path) for name, path in modules_of(one.role.sources).items()}
    gone = sorted({Path(path).stem for path in one.changed if path not in one.code} - modules.keys())
    loaded = cluster.load_modules(one.code, modules, gone, role=one.role.name, on_event=on_event)
    return {node: tuple(names) for node, names in loaded.items() if names}


def _why_not_loaded(loadable: tuple[str, ...], one: RoleCode) -> str:
    """Why the nodes must be restarted; empty if they need not be."""
    if not one.changed:
        return ""
    if not loadable:
        return "nodes of this kind take new code only when they start"
    read_at_start = [path for path in one.changed if not path.endswith(loadable)]
    if read_at_start:
        return f"{read_at_start[0]} is read only when a node starts"
    new = sorted(
        folder for files in one.before for folder in _folders(one.code, loadable) - _folders(files, loadable)
    )
    return f"{new[0]} is not on the code path of the nodes yet" if new else ""


def _folders(code: Mapping[str, str], loadable: tuple[str, ...]) -> set[str]:
    return {str(Path(path).parent) for path in code if path.endswith(loadable)}
