"""Start a cluster that stays, or find that it runs already."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from clusterlib.errors import ClusterNotRunning, KeeperLost
from clusterlib.lifecycle.client import Listener
from clusterlib.lifecycle.start import cluster_name, is_running, project_folder, up
from clusterlib.operations.reach import reached
from clusterlib.operations.result import Result
from clusterlib.operations.views import ClusterView

__all__ = ["Started", "Wish", "bring_up", "wish"]


@dataclass(frozen=True, slots=True)
class Started(Result):
    cluster: ClusterView
    already_running: bool
    notes: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Wish:
    """What `up` is asked for, once what was left open is settled."""

    profile: str
    nodes: int | None
    simulate: bool | None


def bring_up(
    profile: str | None = None,
    *,
    name: str | None = None,
    nodes: int | None = None,
    simulate: bool | None = None,
    project: Path | str | None = None,
    on_event: Listener | None = None,
) -> Started:
    """A cluster that lives until `take_down`. One that runs already is a success that says so."""
    began = time.monotonic()
    wanted = wish(profile, name=name, nodes=nodes, simulate=simulate, project=project)
    cluster = up(
        wanted.profile,
        name=name,
        nodes=wanted.nodes,
        simulate=wanted.simulate,
        project=project,
        hold=False,
        on_event=on_event,
    )
    try:
        view = ClusterView.of(cluster.status())
    finally:
        cluster.close()
    return Started(view, bool(cluster.notes), tuple(cluster.notes), round(time.monotonic() - began, 4))


def wish(
    profile: str | None,
    *,
    name: str | None = None,
    nodes: int | None = None,
    simulate: bool | None = None,
    project: Path | str | None = None,
) -> Wish:
    """Whoever asks for nothing in particular means the cluster that runs, as it was asked for; else the default profile."""
    folder, called = project_folder(project), cluster_name(name)
    if profile is None and nodes is None and simulate is None and is_running(called, project=folder):
        try:
            with reached(called, project=folder) as cluster:
                plan = json.loads(cluster.run_folder.plan.read_text())
                return Wish(cluster.profile, len(plan["nodes"]), bool(plan["simulated"]))
        except (ClusterNotRunning, KeeperLost, OSError, ValueError):
            pass  # it is just ending, or not there yet: `up` itself finds out
    return Wish(profile or _default_profile(folder), nodes, simulate)


def _default_profile(project: Path) -> str:
    """As `profiles.default_profile` says; but that is imported only where it is needed, because until the keeper has
    been started, every import makes `up` slower. After that they cost nothing: the keeper is still booting."""
    if named := os.environ.get("CLUSTERLIB_PROFILE"):
        return named
    try:
        settled = "clusterlib" in (project / "pyproject.toml").read_text(errors="replace")
    except OSError:
        settled = False
    if not settled:
        return "dev"
    from clusterlib.profiles import default_profile

    return default_profile(project)
