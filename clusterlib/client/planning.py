"""Makes a plan from a resolved profile. Profiles are used on the client's side only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from clusterlib.client.code.looking import Listener, code_of
from clusterlib.client.code.sources import code_sources
from clusterlib.drivers.planning import Planned
from clusterlib.drivers.registry import calls_of, driver_of
from clusterlib.drivers.shipped import SHIPPED
from clusterlib.errors import ApplicationFailed, ProgramMissing
from clusterlib.frozen import field_names, replace
from clusterlib.hosts.programs import beside_python, blocked_program, find_program, folders_of, how_to_install
from clusterlib.messages.codec import Packed
from clusterlib.messages.plan import (
    Backoff,
    DerivedPort,
    NodePlan,
    Plan,
    RestartPolicy,
    RolePlan,
    Timeouts,
)
from clusterlib.profiles import ResolvedProfile, load_profile, template_folders
from clusterlib.profiles.model import ONLY_ROLE
from clusterlib.rundir.folders import cluster_identifier
from clusterlib.values.kinds import derived_port, packages_of
from clusterlib.values.overrides import Overrides

V = TypeVar("V", Timeouts, Backoff, RestartPolicy)

__all__ = [
    "find_programs",
    "make_plan",
    "missing_remedies",
    "places_of_mistakes",
    "plan_for",
    "try_driver",
]


def plan_for(
    profile: str,
    *,
    name: str,
    project: Path,
    overrides: Overrides | None = None,
    leased: bool = True,
    on_event: Listener | None = None,
) -> Plan:
    """Reads the profile and resolves everything that can be known before ports are claimed."""
    resolved = load_profile(profile, project=project, overrides=overrides)
    return make_plan(resolved, name=name, project=project, leased=leased, on_event=on_event)


def places_of_mistakes(profile: str, project: Path, overrides: Overrides) -> tuple[str, ...]:
    """The files and lines of a profile whose texts cannot be filled in.

    The keeper knows the texts, but not their places."""
    from clusterlib.profiles.trying import check_templates

    mistakes = check_templates(load_profile(profile, project=project, overrides=overrides))
    return tuple(f"{one.where}: {one.field}: {one.problem}" for one in mistakes)


def make_plan(
    resolved: ResolvedProfile,
    *,
    name: str,
    project: Path,
    leased: bool = True,
    on_event: Listener | None = None,
) -> Plan:
    """The plan of a resolved profile. `on_event` is called when the project is built."""
    values = resolved.values
    programs = _programs(resolved, project)
    role = _role(resolved, project, programs)  # a mistake of the driver is found before anything is built
    role = replace(role, code=code_of(role.sources, project, on_event))
    return Plan(
        identifier=cluster_identifier(project, name),
        name=name,
        project=str(project),
        profile=resolved.name,
        simulated=values.simulate,
        fingerprint=resolved.fingerprint()[:16],
        mode=values.network.mode,
        timeouts=_same(Timeouts, values.timeouts),
        retry=_same(Backoff, values.retry),
        restart=_same(RestartPolicy, values.restart),
        linger=values.linger,
        monitor=values.monitor.interval,
        leased=leased,
        adaptations=tuple(str(adaptation) for adaptation in resolved.adaptations),
        roles=(role,),
    )


def try_driver(resolved: ResolvedProfile, project: Path) -> None:
    """Does for a driver from outside what is done before its first node starts, here and in the
    keeper. Raises DriverUnusable. Its host runs nothing.

    Not done if a program is missing, which is no mistake of the profile."""
    programs, missing = find_programs(resolved, project)
    if missing or resolved.values.driver in SHIPPED:
        return
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    from clusterlib.hosts.fake import FakeHost

    role = _role(resolved, project, programs)
    calls_of(role.driver, role.sources.roots)

    async def create() -> None:
        driver_of(role, FakeHost({}))

    with ThreadPoolExecutor(1) as elsewhere:  # this thread may have an event loop
        elsewhere.submit(asyncio.run, create()).result()


def _role(resolved: ResolvedProfile, project: Path, programs: Mapping[str, Path]) -> RolePlan:
    """The only role of a profile, but for the digests of its code."""
    values, kind = resolved.values, resolved.kind
    nodes = values.nodes
    sources = code_sources(resolved, project, programs)
    planned = Planned(resolved, project, programs, sources)
    return RolePlan(
        name=ONLY_ROLE,
        driver=values.driver,
        settings=Packed.of(kind.settings(planned)),
        nodes=tuple(NodePlan.of(nodes.name, index) for index in range(1, nodes.count + 1)),
        node_name=nodes.name,
        node_host=nodes.host,
        ports=values.ports,
        derived={purpose: DerivedPort(*derived_port(text)) for purpose, text in values.derived.items()},
        templates=values.templates,
        template_search=tuple(str(folder) for folder in template_folders(project)),
        environment={**_path(resolved, programs), **kind.environment(planned), **values.environment},
        memory=nodes.memory,
        memory_origin=str(resolved.voice("nodes.memory") or ""),
        app=values.python.app,
        sources=sources,
        code={},
        fixed=resolved.traits.fixed,
        driver_code=resolved.driver_code(),
        server=resolved.traits.server,
    )


def find_programs(resolved: ResolvedProfile, project: Path) -> tuple[dict[str, Path], list[str]]:
    """The path of each program that the profile needs, by name; and the names of missing
    programs."""
    values, traits = resolved.values, resolved.traits
    found, missing = {}, []
    for name in dict.fromkeys([*traits.programs, *values.requires]):
        asked = str(project / name) if "/" in name else name
        path = find_program(asked, traits.search, values.environment.get("PATH"))
        if path is None:
            missing.append(name)
        else:
            found[name] = path
    return found, missing


def _programs(resolved: ResolvedProfile, project: Path) -> dict[str, Path]:
    found, missing = find_programs(resolved, project)
    if missing:
        named = " and ".join(", ".join(missing).rsplit(", ", 1))
        search = resolved.traits.search
        blocked = [place for name in missing if (place := _blocked(resolved, name))]
        are = "is" if len(missing) == 1 else "are"
        all_there = len(blocked) == len(missing)
        kind = ApplicationFailed if all_there else ProgramMissing
        what = "may not be executed" if all_there else f"{are} not on this machine"
        raise kind(
            f"profile {resolved.name} needs {named}, which {what}",
            cause="nothing was started",
            evidence=[f"{place} is there, without the right to be executed" for place in blocked]
            or _where_looked(missing, project, search),
            remedies=missing_remedies(resolved, missing),
        )
    return found


def _where_looked(missing: Iterable[str], project: Path, search: Iterable[str]) -> list[str]:
    """A name with a slash is a path in the project, and is not searched."""
    places = [f"{project / name} does not exist" for name in missing if "/" in name]
    if any("/" not in name for name in missing):
        places += [f"PATH={os.environ.get('PATH', '')}", *(f"and {place}" for place in search)]
    return places


def missing_remedies(resolved: ResolvedProfile, missing: Iterable[str]) -> list[str]:
    """The commands that install these programs."""
    packages = {name: packages_of(text) for name, text in resolved.values.requires.items()}
    if blocked := [place for name in missing if (place := _blocked(resolved, name))]:
        import shlex

        return [f"chmod +x {shlex.quote(str(place))}" for place in blocked]
    commands = [how_to_install(packages.get(name, {})) for name in missing]
    known = list(dict.fromkeys(command for command in commands if command))
    return known or [
        f"build {name}, or correct its path, which begins at the project"
        if "/" in name
        else f"install {name}, or add its folder to PATH"
        for name in missing
    ]


def _blocked(resolved: ResolvedProfile, name: str) -> Path | None:
    return blocked_program(name, resolved.traits.search, resolved.project)


def _path(resolved: ResolvedProfile, programs: Mapping[str, Path]) -> dict[str, str]:
    """PATH with the folders in which the profile searches, so that its own commands are found there
    first. The folder of this Python is added if a program of the profile was found only there."""
    path = os.environ.get("PATH", os.defpath)
    before = folders_of(resolved.traits.search)
    used = {str(program.parent) for program in programs.values()} - {*before, *path.split(os.pathsep)}
    after = [folder for folder in beside_python() if folder in used]
    return {"PATH": os.pathsep.join([*before, path, *after])} if before or after else {}


def _same(kind: type[V], section: object) -> V:
    """The plan's own value with the same names, so that the keeper need not know the classes of
    profiles."""
    return kind(**{name: getattr(section, name) for name in field_names(kind)})
