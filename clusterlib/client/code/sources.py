"""Where the code of a cluster's nodes is, by what its profile says: all that is looked at to tell whether they still run it."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from clusterlib.client.code.named import named_in
from clusterlib.client.code.paths import is_file, within
from clusterlib.messages.plan import Build, CodeSources
from clusterlib.profiles import ResolvedProfile, template_folders

__all__ = ["code_sources", "has_own_paths", "within"]

REFERENCE = re.compile(r"""\{%-?\s*(?:include|extends|import|from)\s+["']([^"']+)["']""")


def code_sources(resolved: ResolvedProfile, project: Path, programs: Mapping[str, Path]) -> CodeSources:
    """Where the code of the nodes is."""
    values = resolved.values
    roots = within(project, values.python.path)
    files = [*map(str, programs.values()), *_templates(resolved, project)]
    watched = within(glob.escape(str(project)), values.watch)  # only what the profile says is a pattern
    if values.driver == "python":
        return CodeSources(roots=roots, watched=watched, files=tuple(files))
    if values.driver == "command":
        from clusterlib.client.code.own_code import own_code  # other nodes tell what they have loaded

        own = own_code(resolved, project, programs.get(values.command.program), _made(resolved, project))
        named = map(str, _named_files(resolved, project))
        return CodeSources(
            trees=own.trees or (roots if has_own_paths(resolved) else ()),
            watched=watched,
            files=tuple(dict.fromkeys([*files, *named, *own.files])),
            told=False,
        )
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


def _named_files(resolved: ResolvedProfile, project: Path) -> Iterator[Path]:
    """The files that a server is given, and that it reads when it starts: a script, a configuration."""
    texts = [text for _, text in resolved.command_texts()]
    for text in (*texts, *resolved.values.environment.values()):
        yield from named_in(text, project)


def _made(resolved: ResolvedProfile, project: Path) -> dict[str, Path]:
    """The templates of the nodes' files, by the names of these."""
    folders = template_folders(project)
    found = {file: _template(name, folders) for file, name in resolved.values.templates.items()}
    return {file: path for file, path in found.items() if path}


def _templates(resolved: ResolvedProfile, project: Path) -> list[str]:
    """The templates that the nodes' files are made of, and those that they refer to."""
    folders = template_folders(project)
    pending, found = list(resolved.values.templates.values()), dict[str, None]()
    while pending:
        path = _template(pending.pop(), folders)
        if path is None or str(path) in found:
            continue
        found[str(path)] = None
        pending += REFERENCE.findall(path.read_text(encoding="utf-8", errors="replace"))
    return list(found)


def _template(name: str, folders: Iterable[Path]) -> Path | None:
    return next((folder / name for folder in folders if is_file(folder / name)), None)
