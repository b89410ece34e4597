"""Files of a project that are not code of its servers: its tests, and the files of its tools."""

from __future__ import annotations

import re
from glob import glob
from pathlib import Path

from clusterlib.disk.paths import head_of, is_file
from clusterlib.messages.plan import NoCode
from clusterlib.profiles.testing import settings_of_pytest

__all__ = ["no_code_of"]

ANY_NAME = re.compile(r"[*?/]*(\.py)?")
IMPORTS_INVOKE = re.compile(rb"^\s*(?:from|import)\s+invoke\b", re.MULTILINE)
MOST_OF_TASKS = 256 << 10


def no_code_of(project: Path) -> NoCode:
    """Files that pytest's settings declare as tests, beyond the usual names, and the files of Nox
    and Invoke.

    In doubt a file is code. So a pattern that matches all names is ignored, and a package in
    `testpaths` may contain code beside its tests. A tasks.py may belong to Celery."""
    settings = settings_of_pytest(project)
    named = [Path(path) for pattern in settings.paths for path in glob(str(pattern), root_dir=project)]  # noqa: PTH207
    places = [project / path for path in named if path.parts]
    return NoCode(
        names=tuple(pattern for pattern in settings.files if not ANY_NAME.fullmatch(pattern)),
        paths=(
            *(str(place) for place in places if place.is_dir() and not _may_be_code(place, project)),
            *(str(place) for place in places if is_file(place)),
            str(project / "noxfile.py"),
            *([str(project / "tasks.py")] if _is_of_invoke(project / "tasks.py") else []),
        ),
    )


def _may_be_code(folder: Path, project: Path) -> bool:
    return project.is_relative_to(folder) or folder.name == "src" or is_file(folder / "__init__.py")


def _is_of_invoke(tasks: Path) -> bool:
    return IMPORTS_INVOKE.search(head_of(tasks, MOST_OF_TASKS)) is not None
