"""The files that are the code of a cluster's nodes, derived from its profile.

They are compared to find stale code."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from pathlib import Path

from clusterlib.client.code.templates import made_of, templates_of
from clusterlib.disk.paths import within
from clusterlib.drivers.planning import CodeContext
from clusterlib.frozen import replace
from clusterlib.messages.plan import CodeSources, NoCode
from clusterlib.profiles import ResolvedProfile

__all__ = ["code_sources"]


def code_sources(resolved: ResolvedProfile, project: Path, programs: Mapping[str, Path]) -> CodeSources:
    """Where the code of the nodes is: what their kind says, and what is read whatever that is."""
    values = resolved.values
    roots = within(project, values.python.path)
    sources = resolved.kind.code(
        CodeContext(
            resolved,
            project,
            programs,
            roots,
            templates=lambda: made_of(resolved, project),
            left_out=lambda: _left_out(project),
        )
    )
    templates = templates_of(resolved, project)
    watched = within(glob.escape(str(project)), values.watch)  # only the profile's own text is a pattern
    files = [*map(str, programs.values()), *templates.files, *sources.files]
    return replace(
        sources,
        roots=roots,
        watched=(*watched, *templates.patterns, *sources.watched),
        files=tuple(dict.fromkeys(files)),
    )


def _left_out(project: Path) -> NoCode:
    from clusterlib.client.code.no_code import no_code_of  # embedded nodes tell what they have loaded

    return no_code_of(project)
