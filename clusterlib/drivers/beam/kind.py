"""A node of Erlang's virtual machine, as other rooms see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.drivers.kind import NodeKind, Traits

if TYPE_CHECKING:
    from clusterlib.drivers.api import Driver
    from clusterlib.drivers.beam.settings import BeamSettings
    from clusterlib.drivers.calls import NodeCalls
    from clusterlib.drivers.planning import CodeContext, Planned
    from clusterlib.hosts.api import Host
    from clusterlib.messages.findings import Finding
    from clusterlib.messages.plan import CodeSources
    from clusterlib.profiles import Mistake, ResolvedProfile
    from clusterlib.profiles.checks import Together
    from clusterlib.profiles.model import Profile

__all__ = ["KIND"]


def _driver(settings: BeamSettings, host: Host) -> Driver:  # noqa: ARG001 - it runs no commands
    from clusterlib.drivers.beam.driver import BeamDriver

    return BeamDriver(settings)


def _calls() -> type[NodeCalls]:
    from clusterlib.drivers.beam.calls import BeamCalls

    return BeamCalls


def _sections() -> Mapping[str, type]:
    from clusterlib.drivers.beam.profile import Beam

    return {"beam": Beam}


def _mistakes(together: Together) -> Iterable[Mistake]:
    from clusterlib.drivers.beam.profile import Beam

    beam = together.profile.section(Beam)
    for root in beam.path:
        comes_later = beam.build or "*" in root or "?" in root
        if not comes_later and not together.has_folder(root):
            yield together.mistake(
                "beam",
                "path",
                problem=f'there is no folder "{root[:60]}"',
                right=f"write folders relative to {together.project}",
            )


def _traits(values: Profile) -> Traits:
    from clusterlib.drivers.beam.profile import Beam

    beam = values.section(Beam)
    return Traits((beam.program, *(("elixir",) if beam.mix else ())))


def _settings(planned: Planned) -> BeamSettings:
    from clusterlib.drivers.beam.planning import settings

    return settings(planned)


def _settings_type() -> type[BeamSettings]:
    from clusterlib.drivers.beam.settings import BeamSettings

    return BeamSettings


def _code(context: CodeContext) -> CodeSources:
    from clusterlib.drivers.beam.planning import code

    return code(context)


def _preflight(resolved: ResolvedProfile, project: Path, programs: Mapping[str, Path]) -> Iterable[Finding]:
    from clusterlib.drivers.beam.planning import preflight

    return preflight(resolved, project, programs)


KIND = NodeKind(
    _driver,
    _calls,
    ports={"cluster": "20000-23999"},
    templates={"vm.args": "beam/vm.args.j2"},
    sections=_sections,
    uses=frozenset({"timeouts.build"}),
    mistakes=_mistakes,
    traits=_traits,
    settings=_settings,
    settings_type=_settings_type,
    code=_code,
    preflight=_preflight,
)
