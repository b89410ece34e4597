"""The templates of the nodes' files."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from clusterlib.disk.paths import is_file
from clusterlib.frozen import frozen
from clusterlib.profiles import ResolvedProfile, template_folders
from clusterlib.rendering.references import references_of

__all__ = ["Templates", "made_of", "templates_of"]


@frozen
class Templates:
    files: tuple[str, ...]
    """Includes missing files that would be used if they appeared."""
    patterns: tuple[str, ...]
    """Files that may be included if names are computed: the templates of the project."""


def templates_of(resolved: ResolvedProfile, project: Path) -> Templates:
    """The templates of the nodes' files, and those that they refer to."""
    folders = template_folders(project)
    pending, files = list[str | None](resolved.values.templates.values()), dict[str, None]()
    followed = set[str | None]()
    while pending:
        name = pending.pop()
        if name is not None and name not in followed:
            files.update(dict.fromkeys(map(str, _places(name, folders))))
            found = _template(name, folders)
            pending += references_of(found.read_text(encoding="utf-8", errors="replace")) if found else ()
        followed.add(name)
    patterns = (glob.escape(str(folders[0])),) if None in followed else ()
    return Templates(tuple(files), patterns)


def made_of(resolved: ResolvedProfile, project: Path) -> dict[str, Path]:
    """The templates of the nodes' files, by file name."""
    folders = template_folders(project)
    found = {file: _template(name, folders) for file, name in resolved.values.templates.items()}
    return {file: path for file, path in found.items() if path}


def _places(name: str, folders: Sequence[Path]) -> list[Path]:
    """The places where it is searched, up to the one where it is found."""
    found = _template(name, folders)
    places = [folder / name for folder in folders]
    return places[: places.index(found) + 1] if found else places


def _template(name: str, folders: Sequence[Path]) -> Path | None:
    return next((folder / name for folder in folders if is_file(folder / name)), None)
