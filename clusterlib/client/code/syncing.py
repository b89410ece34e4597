"""Updates running nodes to the current code of the project: by loading if the driver can, else by
restarts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.client.code.looking import look_at_code, looked_at, not_stopped
from clusterlib.disk.code import modules_of
from clusterlib.errors import StaleCode
from clusterlib.frozen import frozen

if TYPE_CHECKING:
    from clusterlib.client.cluster import Cluster
    from clusterlib.client.connection import Listener

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
    code, differing = dict(look.code), look.changed
    seen = looked_at(cluster.sources, cluster.project)
    why = _why_not_loaded(cluster.kind.loads_code, differing, look.before, code)
    if why:
        rolling = (
            not cluster.simulated
        )  # a node that starts among others in one process has the modules that they have loaded
        restarted = not_stopped(status)
        if restarted:
            cluster.restart(*restarted, rolling=rolling, on_event=on_event)
        return Synced(differing, {}, restarted, why, seen)
    if look.unasked:
        raise StaleCode(
            f"{', '.join(look.unasked)} could not be asked which code it runs",
            cause="it is paused, or too busy to answer",
            remedies=[
                f"invoke cluster.resume {look.unasked[0]}",
                f"invoke cluster.restart {look.unasked[0]}",
            ],
        ).of_cluster(cluster.name)
    if not cluster.kind.loads_code:
        return Synced((), {}, (), looked_at=seen)
    modules = {name: str(path) for name, path in modules_of(cluster.sources).items()}
    gone = sorted({Path(path).stem for path in differing if path not in code} - modules.keys())
    loaded = cluster.load(code, modules, gone, on_event)
    return Synced(differing, {node: tuple(names) for node, names in loaded.items() if names}, ())


def _why_not_loaded(
    loadable: tuple[str, ...],
    differing: tuple[str, ...],
    before: Sequence[Mapping[str, str]],
    code: Mapping[str, str],
) -> str:
    """Why the nodes must be restarted; empty if they need not be."""
    if not differing:
        return ""
    if not loadable:
        return "nodes of this kind take new code only when they start"
    read_at_start = [path for path in differing if not path.endswith(loadable)]
    if read_at_start:
        return f"{read_at_start[0]} is read only when a node starts"
    new = sorted(
        folder for files in before for folder in _folders(code, loadable) - _folders(files, loadable)
    )
    return f"{new[0]} is not on the code path of the nodes yet" if new else ""


def _folders(code: Mapping[str, str], loadable: tuple[str, ...]) -> set[str]:
    return {str(Path(path).parent) for path in code if path.endswith(loadable)}
