"""Where the code of a cluster's nodes is, by what its profile says: all that is looked at to tell whether they still run it."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping
from pathlib import Path

from clusterlib.client.code.named import named_in
from clusterlib.client.code.templates import made_of, templates_of
from clusterlib.disk.paths import within
from clusterlib.messages.plan import Build, CodeSources
from clusterlib.profiles import ResolvedProfile

__all__ = ["code_sources", "has_own_paths", "within"]


def code_sources(resolved: ResolvedProfile, project: Path, programs: Mapping[str, Path]) -> CodeSources:
    """Where the code of the nodes is."""
    values = resolved.values
    roots = within(project, values.python.path)
    templates = templates_of(resolved, project)
    files = [*map(str, programs.values()), *templates.files]
    watched = within(glob.escape(str(project)), values.watch)  # only what the profile says is a pattern
    watched = (*watched, *templates.patterns)
    if values.driver == "python":
        return CodeSources(roots=roots, watched=watched, files=tuple(files))
    if values.driver == "command":
        from clusterlib.client.code.no_code import no_code_of
        from clusterlib.client.code.own_code import own_code  # other nodes tell what they have loaded

        left_out, made = no_code_of(project), made_of(resolved, project)
        own = own_code(resolved, project, programs.get(values.command.program), made, left_out)
        named = map(str, _named_files(resolved, project))
        return CodeSources(
            trees=own.trees or (roots if has_own_paths(resolved) else ()),
            left_out=left_out,
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
