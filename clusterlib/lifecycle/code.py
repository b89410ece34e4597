"""The project's code as it is now, built if need be, file by file: what tells whether nodes still run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from clusterlib.hosts.programs import digest_of, folders_of
from clusterlib.lifecycle.plan import CodeSources, revive
from clusterlib.runtime.code import fingerprint

__all__ = ["Listener", "code_of", "code_of_status", "modules_of"]

Listener = Callable[[dict[str, Any]], None]


def code_of(sources: CodeSources, project: Path, on_event: Listener | None = None) -> dict[str, str]:
    """Digests by file, after the project's build, if it has one. `on_event` hears that a build begins."""
    if sources.build.command:
        from clusterlib.lifecycle.building import build_project  # most projects have none

        build_project(sources.build, project, lambda: _compiled(sources), on_event or (lambda _: None))
    return {
        **fingerprint(map(Path, sources.roots))[1],
        **_compiled(sources),
        **{name: digest_of(Path(name)) for name in sources.files},
    }


def code_of_status(status: Mapping[str, Any], on_event: Listener | None = None) -> dict[str, str]:
    """The same for a cluster that runs, by what its keeper says it is made of."""
    return code_of(revive(CodeSources, status["sources"]), Path(status["project"]), on_event)


def modules_of(sources: CodeSources) -> dict[str, Path]:
    """The compiled modules that Erlang nodes find, by name. Of two of a name it is the one that is searched first."""
    found: dict[str, Path] = {}
    for folder in folders_of(sources.modules):
        for path in Path(folder).glob("*.beam"):
            found.setdefault(path.stem, path)
    return found


def _compiled(sources: CodeSources) -> dict[str, str]:
    return {str(path): digest_of(path) for path in modules_of(sources).values()}
