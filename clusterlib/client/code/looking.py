"""The current code of the project, file by file, built if necessary; and whether the nodes of a
cluster run it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.disk.code import code_on_disk, compiled_code
from clusterlib.disk.digests import changed
from clusterlib.errors import NodeUnknown
from clusterlib.frozen import frozen
from clusterlib.messages.event import Event
from clusterlib.messages.plan import CodeSources
from clusterlib.messages.requests import Code
from clusterlib.messages.states import NodeState
from clusterlib.messages.status import ClusterStatus, RoleStatus

if TYPE_CHECKING:
    from clusterlib.client.cluster import Cluster

__all__ = [
    "CodeLook",
    "Listener",
    "RoleCode",
    "build_code",
    "code_of",
    "codes_of",
    "look_at_code",
    "looked_at",
    "nodes_to_restart",
    "restarted_in_words",
    "some_files",
]

Listener = Callable[[Event], None]


@frozen
class RoleCode:
    """What the nodes of one role run, compared with the disk."""

    role: RoleStatus
    code: Mapping[str, str]
    """What its nodes read when they start, as it is now: digests by file."""
    before: tuple[Mapping[str, str], ...]
    """The same at the time of their starts, once for all nodes that started with the same."""
    changed: tuple[str, ...]
    """The files that differ, among these and those that the nodes have loaded.

    Empty if the nodes run what is on disk."""


@frozen
class CodeLook:
    """What a cluster runs, compared with the disk."""

    roles: tuple[RoleCode, ...]
    unasked: tuple[str, ...]
    """Nodes that could not report what they have loaded."""

    @property
    def changed(self) -> tuple[str, ...]:
        """The files that differ. Empty if all nodes run what is on disk."""
        return tuple(sorted({path for one in self.roles for path in one.changed}))

    def outdated(self, status: ClusterStatus) -> tuple[str, ...]:
        """The nodes to restart so that all run what is on disk."""
        return nodes_to_restart(status, {one.role.name for one in self.roles if one.changed})

    def silent(self, status: ClusterStatus) -> tuple[str, ...]:
        """Nodes that are ready, but did not report what they have loaded: stuck, or too busy."""
        ready = {node.name for node in status.nodes if node.state is NodeState.READY}
        return tuple(name for name in self.unasked if name in ready)


def look_at_code(cluster: Cluster, on_event: Listener | None = None, *, build: bool = True) -> CodeLook:
    """Compares what the nodes run with the disk.

    Without `build`, the project is not built, and its sources are compared instead."""
    roles, project = cluster.roles.values(), cluster.project
    sources = [role.sources for role in roles]
    codes = codes_of(sources, project, on_event, build=build)
    unbuilt = [_unbuilt(one, sources, project) if not build else () for one in sources]
    running = cluster.keeper.ask(Code())
    loaded = _loaded_by_role(cluster, running.stale)
    looked = []
    for role, code, of_build in zip(roles, codes, unbuilt, strict=True):
        before = running.files.get(role.name, ())
        since = {path for files in before for path in changed(files, code)}
        differing = sorted({*since, *loaded[role.name], *of_build})
        looked.append(RoleCode(role, code, before, tuple(differing)))
    return CodeLook(tuple(looked), running.unasked)


def _loaded_by_role(cluster: Cluster, stale: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """The files that have changed since nodes have loaded them. A node that is gone by now does not
    count."""
    found: dict[str, set[str]] = {role: set() for role in cluster.roles}
    for name, files in stale.items():
        with contextlib.suppress(NodeUnknown):
            found[cluster[name].role].update(files)
    return found


def nodes_to_restart(status: ClusterStatus, roles: Collection[str]) -> tuple[str, ...]:
    """The nodes to restart so that these roles run what is on disk.

    A node that was stopped on purpose reads the code when it is started. Simulated nodes share the
    modules that they have loaded, so all of them are restarted or none."""
    everyone = status.simulated and bool(roles)
    return tuple(
        node.name
        for node in status.nodes
        if (everyone or node.role in roles) and node.state is not NodeState.STOPPED
    )


def restarted_in_words(status: ClusterStatus, names: Collection[str]) -> str:
    """ "the nodes", or those of some roles."""
    roles = dict.fromkeys(node.role for node in status.nodes if node.name in names)
    if len(roles) == len(status.roles) or not roles:
        return "the nodes"
    return f"the nodes of role {' and '.join(roles)}"


def looked_at(roles: Collection[RoleStatus], project: Path) -> tuple[str, ...]:
    """What is compared with the disk, in plain words, if this is not everything that the
    nodes run."""
    found = {role.name: _looked_at(role.sources, project) for role in roles}
    if len(found) == 1:
        return next(iter(found.values()))
    if not any(found.values()):
        return ()
    return tuple(f"of role {name}: {', '.join(what or ('all its code',))}" for name, what in found.items())


def _looked_at(sources: CodeSources, project: Path) -> tuple[str, ...]:
    if sources.reported:
        return ()
    below = [os.path.relpath(tree, project) for tree in sources.trees]
    python = (
        f"the Python code below {' and '.join(below)}" if below != ["."] else "the Python code of the project"
    )
    return (
        "its program",
        "the files that its profile names",
        *([python] if below else []),
        *(["what it watches"] if sources.watched else []),
    )


def some_files(paths: Sequence[str], project: Path) -> str:
    """The first of them, relative to the project, and the number of the others."""
    inside = [path.removeprefix(f"{project}/") for path in paths]
    return ", ".join(inside[:2]) + (f" and {len(inside) - 2} more" if len(inside) > 2 else "")


def code_of(sources: CodeSources, project: Path, on_event: Listener | None = None) -> dict[str, str]:
    """Digests by file, after the project's build if it has one.

    `on_event` is called when a build begins."""
    return codes_of([sources], project, on_event)[0]


def codes_of(
    sources: Sequence[CodeSources], project: Path, on_event: Listener | None = None, *, build: bool = True
) -> list[dict[str, str]]:
    """The same for several roles. A build that they share is run once."""
    if build:
        _build(sources, project, on_event)
    return [code_on_disk(one) for one in sources]


def build_code(cluster: Cluster, on_event: Listener | None = None) -> None:
    """Builds the code of this cluster's nodes, if the profile has a build."""
    _build([role.sources for role in cluster.roles.values()], cluster.project, on_event)


def _build(sources: Sequence[CodeSources], project: Path, on_event: Listener | None) -> None:
    if not any(one.build for one in sources):
        return
    from clusterlib.client.code.building import build_project, builds_of  # most projects have none

    for build, made in builds_of(sources):
        build_project(build, project, partial(_compiled, made), on_event or (lambda _: None))


def _compiled(sources: Sequence[CodeSources]) -> dict[str, str]:
    return {path: digest for one in sources for path, digest in compiled_code(one).items()}


def _unbuilt(sources: CodeSources, everyone: Sequence[CodeSources], project: Path) -> Sequence[str]:
    """The sources of its build that have changed since."""
    if sources.build is None:
        return ()
    from clusterlib.client.code.building import builds_of, unbuilt_files

    return next(unbuilt_files(build, project) for build, made in builds_of(everyone) if sources in made)
