"""The current code of the project, file by file, built if necessary; and whether the nodes of a
cluster run it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.disk.code import code_on_disk, compiled_code
from clusterlib.disk.digests import changed
from clusterlib.frozen import frozen
from clusterlib.messages.event import Event
from clusterlib.messages.plan import CodeSources
from clusterlib.messages.requests import Code
from clusterlib.messages.states import NodeState
from clusterlib.messages.status import ClusterStatus

if TYPE_CHECKING:
    from clusterlib.client.cluster import Cluster

__all__ = [
    "CodeLook",
    "Listener",
    "build_code",
    "code_of",
    "look_at_code",
    "looked_at",
    "not_stopped",
    "some_files",
]

Listener = Callable[[Event], None]


@frozen
class CodeLook:
    """What a cluster runs, compared with the disk."""

    code: Mapping[str, str]
    """What its nodes read when they start, as it is now: digests by file."""
    before: tuple[Mapping[str, str], ...]
    """The same at the time of their starts, once for all nodes that started with the same."""
    changed: tuple[str, ...]
    """The files that differ, among these and those that the nodes have loaded.

    Empty if the nodes run what is on disk."""
    unasked: tuple[str, ...]
    """Nodes that could not report what they have loaded."""


def look_at_code(cluster: Cluster, on_event: Listener | None = None, *, build: bool = True) -> CodeLook:
    """Compares what the nodes run with the disk.

    Without `build`, the project is not built, and its sources are compared instead."""
    sources, project = cluster.sources, cluster.project
    unbuilt: list[str] = []
    if sources.build and not build:
        from clusterlib.client.code.building import unbuilt_files

        unbuilt = unbuilt_files(sources.build, project)
    code = code_of(sources, project, on_event, build=build)
    running = cluster.keeper.ask(Code())
    loaded = {path for files in running.stale.values() for path in files}
    started = tuple(files for of_role in running.files.values() for files in of_role)
    since = {path for before in started for path in changed(before, code)}
    differing = sorted({*since, *loaded, *unbuilt})
    return CodeLook(code, started, tuple(differing), running.unasked)


def not_stopped(status: ClusterStatus) -> tuple[str, ...]:
    """The nodes that get new code.

    A node that was stopped on purpose reads the code when it is started."""
    return tuple(node.name for node in status.nodes if node.state is not NodeState.STOPPED)


def looked_at(sources: CodeSources, project: Path) -> tuple[str, ...]:
    """What is compared with the disk, in plain words, if this is not everything that the
    nodes run."""
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


def code_of(
    sources: CodeSources, project: Path, on_event: Listener | None = None, *, build: bool = True
) -> dict[str, str]:
    """Digests by file, after the project's build if it has one.

    `on_event` is called when a build begins."""
    if build:
        _build(sources, project, on_event)
    return code_on_disk(sources)


def build_code(cluster: Cluster, on_event: Listener | None = None) -> None:
    """Builds the code of this cluster's nodes, if the profile has a build."""
    _build(cluster.sources, cluster.project, on_event)


def _build(sources: CodeSources, project: Path, on_event: Listener | None) -> None:
    if sources.build:
        from clusterlib.client.code.building import build_project  # most projects have none

        build_project(sources.build, project, lambda: compiled_code(sources), on_event or (lambda _: None))
