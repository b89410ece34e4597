"""The settings of a profile for Erlang nodes, as their driver needs them."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.disk.paths import within
from clusterlib.drivers.beam.mix import elixir_libraries, mix_applications
from clusterlib.drivers.beam.profile import Beam
from clusterlib.drivers.beam.settings import BeamSettings
from clusterlib.drivers.planning import CodeContext, Planned
from clusterlib.errors import ClusterError
from clusterlib.hosts.programs import find_program
from clusterlib.messages.findings import Finding, failed, ok
from clusterlib.messages.plan import Build, CodeSources

if TYPE_CHECKING:
    from clusterlib.profiles import ResolvedProfile

__all__ = ["code", "preflight", "settings"]


def settings(planned: Planned) -> BeamSettings:
    beam, programs = planned.resolved.values.section(Beam), planned.programs
    path, applications, iex = planned.sources.modules, beam.applications, None
    if beam.mix:
        path = (*path, elixir_libraries(programs["elixir"]))
        applications = applications or mix_applications(planned.project)
        iex = find_program("iex", [str(programs["elixir"].parent)])
    return BeamSettings(
        program=str(programs[beam.program]),
        applications=tuple(applications),
        path=path,
        config=tuple(within(planned.project, beam.config)),
        iex=str(iex) if iex else None,
    )


def code(context: CodeContext) -> CodeSources:
    """Compiled modules, the command that compiles them, and configuration files."""
    values, project = context.resolved.values, context.project
    beam = values.section(Beam)
    return CodeSources(
        trees=context.chosen_roots,
        modules=within(glob.escape(str(project)), beam.path),
        suffix=".beam",
        files=within(project, beam.config),
        build=Build(
            command=beam.build,
            inputs=within(project, beam.sources),
            rebuild=beam.rebuild,
            environment=values.environment,
            seconds=values.timeouts.build,
            into="beam.path",
            asked_by=("beam.build", "environment"),
        )
        if beam.build
        else None,
    )


def preflight(resolved: ResolvedProfile, project: Path, programs: Mapping[str, Path]) -> Iterator[Finding]:
    """Whether such nodes can run on this machine."""
    from clusterlib.drivers.beam.preflight import examine_erlang

    beam = resolved.values.section(Beam)
    program = programs.get(beam.program)
    yield from examine_erlang(program if program is not None and program.name == "erl" else None)
    if not beam.mix:
        return
    if beam.applications:
        yield ok("mix project", f"starts {', '.join(beam.applications)}, as the profile says")
        return
    try:
        yield ok("mix project", f"starts {', '.join(mix_applications(project))}")
    except ClusterError as error:
        yield failed("mix project", error.problem, *error.remedies)
