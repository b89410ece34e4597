"""The code that nodes read when they start, as it is on disk now."""

from __future__ import annotations

from pathlib import Path

from clusterlib.disk.digests import named_files, sources_below, watched_files
from clusterlib.hosts.programs import digest_of, folders_of
from clusterlib.messages.plan import CodeSources

__all__ = ["code_on_disk", "compiled_code", "modules_of"]


def code_on_disk(sources: CodeSources) -> dict[str, str]:
    """Digests by file. Nothing is built."""
    return {
        **sources_below(sources.trees, sources.left_out),
        **watched_files(sources.watched),
        **compiled_code(sources),
        **named_files(sources.files),
    }


def modules_of(sources: CodeSources) -> dict[str, Path]:
    """The compiled modules that Erlang nodes find, by name. Of two of a name it is the one that is searched first."""
    found: dict[str, Path] = {}
    for folder in folders_of(sources.modules):
        for path in Path(folder).glob("*.beam"):
            found.setdefault(path.stem, path)
    return found


def compiled_code(sources: CodeSources) -> dict[str, str]:
    """What a build has made: digests by file."""
    return {str(path): digest_of(path) for path in modules_of(sources).values()}
