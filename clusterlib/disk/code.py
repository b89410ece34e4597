"""The code that nodes read when they start, as it is on disk now."""

from __future__ import annotations

from pathlib import Path

from clusterlib.disk.digests import named_files, sources_below, watched_files
from clusterlib.hosts.programs import digest_of, folders_of
from clusterlib.messages.plan import CodeSources

__all__ = ["code_on_disk", "compiled_code", "modules_of"]


def code_on_disk(sources: CodeSources) -> dict[str, str]:
    """Digests by file. Does not build anything."""
    return {
        **sources_below(sources.trees, sources.left_out),
        **watched_files(sources.watched),
        **compiled_code(sources),
        **named_files(sources.files),
    }


def modules_of(sources: CodeSources) -> dict[str, Path]:
    """The compiled modules that nodes find, by name.

    If a name occurs twice, the first on the search path counts."""
    found: dict[str, Path] = {}
    for folder in folders_of(sources.modules):
        for path in Path(folder).glob(f"*{sources.suffix}"):
            found.setdefault(path.stem, path)
    return found


def compiled_code(sources: CodeSources) -> dict[str, str]:
    """Digests of what a build has made, by file."""
    return {str(path): digest_of(path) for path in modules_of(sources).values()}
