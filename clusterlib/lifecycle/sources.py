"""Where the code of a cluster's nodes is, by what its profile says: all that is looked at to tell whether they still run it."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from clusterlib.lifecycle.plan import Build, CodeSources
from clusterlib.profiles import ResolvedProfile, template_folders

__all__ = ["code_sources", "has_own_paths", "within"]

PROJECT = re.compile(r"\{\{-?\s*cluster\.project\s*(\|\s*quote\s*)?-?\}\}")
READ_AT_START = frozenset(
    {
        ".bash",
        ".cfg",
        ".cjs",
        ".conf",
        ".escript",
        ".exs",
        ".ini",
        ".jar",
        ".js",
        ".json",
        ".lua",
        ".mjs",
        ".php",
    }
    | {".pl", ".properties", ".py", ".pyz", ".rb", ".sh", ".toml", ".ts", ".wasm", ".xml", ".yaml", ".yml"}
)
"""How files end that a program given them reads when it starts; others, such as a database, change as it runs."""
REFERENCE = re.compile(r"""\{%-?\s*(?:include|extends|import|from)\s+["']([^"']+)["']""")


def code_sources(resolved: ResolvedProfile, project: Path, programs: Iterable[Path] = ()) -> CodeSources:
    """Where the code of the nodes is."""
    values = resolved.values
    roots = within(project, values.python.path)
    files = [*map(str, programs), *_templates(resolved, project)]
    watched = within(glob.escape(str(project)), values.watch)  # only what the profile says is a pattern
    if values.driver == "python":
        return CodeSources(roots=roots, watched=watched, files=tuple(files))
    if values.driver == "command":
        named = list(_named_files(resolved, project))
        is_python = any(path.suffix == ".py" for path in named) or _runs_own_module(resolved, roots)
        looks = is_python or has_own_paths(resolved)
        files += map(str, named)
        return CodeSources(trees=roots if looks else (), watched=watched, files=tuple(files))
    beam = values.beam
    return CodeSources(
        trees=roots if has_own_paths(resolved) else (),
        watched=watched,
        modules=within(glob.escape(str(project)), beam.path),
        files=(*files, *within(project, beam.config)),
        build=Build(
            command=beam.build,
            inputs=within(project, beam.sources),
            rebuild=beam.rebuild,
            environment=dict(values.environment),
            seconds=values.timeouts.build,
        ),
    )


def has_own_paths(resolved: ResolvedProfile) -> bool:
    """Whether somebody has said which folders of Python code the nodes use."""
    return resolved.origin("python.path").source != "default"


def within(project: Path | str, paths: Iterable[str]) -> tuple[str, ...]:
    """These paths, where relative ones begin in the project."""
    return tuple(os.path.normpath(Path(project) / path) for path in paths)


def _named_files(resolved: ResolvedProfile, project: Path) -> Iterator[Path]:
    """The files that the commands of a server program name, and that it reads when it starts: a script, a configuration."""
    for _, text in resolved.command_texts():
        word = PROJECT.sub(str(project), text)
        for candidate in (word, word.partition("=")[2]):
            path = project / candidate
            if candidate and Path(candidate).suffix in READ_AT_START and _is_file(path):
                yield path


def _runs_own_module(resolved: ResolvedProfile, roots: Iterable[str]) -> bool:
    """`python -m shop.server`, where shop is a package of the project."""
    words = [text for _, text in resolved.command_texts()]
    modules = [word for option, word in pairwise(words) if option == "-m"]
    names = [module.partition(".")[0] for module in modules]
    return any(
        Path(root, name).is_dir() or Path(root, f"{name}.py").is_file() for root in roots for name in names
    )


def _templates(resolved: ResolvedProfile, project: Path) -> list[str]:
    """The templates that the nodes' files are made of, and those that they refer to."""
    folders = template_folders(project)
    pending, found = list(resolved.values.templates.values()), dict[str, None]()
    while pending:
        name = pending.pop()
        path = next((folder / name for folder in folders if _is_file(folder / name)), None)
        if path is None or str(path) in found:
            continue
        found[str(path)] = None
        pending += REFERENCE.findall(path.read_text(encoding="utf-8", errors="replace"))
    return list(found)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
