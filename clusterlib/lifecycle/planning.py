"""From a resolved profile to a plan. Client side only: this is where profiles are known."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from clusterlib.errors import ProgramMissing
from clusterlib.hosts.programs import digest_of, find_program, folders_of, how_to_install
from clusterlib.lifecycle.folders import cluster_identifier
from clusterlib.lifecycle.plan import (
    Backoff,
    DerivedPort,
    NodePlan,
    Plan,
    PortRange,
    RestartPolicy,
    Timeouts,
)
from clusterlib.profiles import ResolvedProfile, derived_port, load_profile, packages_of, template_folders
from clusterlib.profiles.resolved import as_plain
from clusterlib.runtime.code import fingerprint

V = TypeVar("V", Timeouts, Backoff, RestartPolicy)

__all__ = [
    "code_of",
    "code_of_status",
    "code_roots",
    "find_programs",
    "make_plan",
    "missing_remedies",
    "plan_for",
]

SERVER = ("command", "environment", "ready", "form", "formed", "health")
"""The sections that driver `command` is told of."""


def plan_for(
    profile: str,
    *,
    name: str,
    project: Path,
    overrides: Mapping[str, object] | None = None,
    held: bool = True,
) -> Plan:
    """Reads the profile and resolves everything that can be known before ports are claimed."""
    return make_plan(
        load_profile(profile, project=project, overrides=overrides), name=name, project=project, held=held
    )


def make_plan(resolved: ResolvedProfile, *, name: str, project: Path, held: bool = True) -> Plan:
    values = resolved.values
    nodes = values.nodes
    roots = code_roots(resolved, project)
    programs = _programs(resolved, project)
    modules = _modules(resolved, project)
    return Plan(
        identifier=cluster_identifier(project, name),
        name=name,
        project=str(project),
        profile=resolved.name,
        driver=values.driver,
        simulated=values.simulate,
        nodes=tuple(NodePlan(nodes.name.format(index=index), index) for index in range(1, nodes.count + 1)),
        node_name=nodes.name,
        node_host=nodes.host,
        fingerprint=resolved.fingerprint()[:16],
        code=code_of(roots, [*programs.values(), *modules]),
        mode=values.network.mode,
        memory=nodes.memory,
        ports={purpose: PortRange(ports.first, ports.last) for purpose, ports in values.ports.items()},
        timeouts=_same(Timeouts, values.timeouts),
        retry=_same(Backoff, values.retry),
        restart=_same(RestartPolicy, values.restart),
        linger=values.linger,
        monitor=values.monitor.interval,
        held=held,
        templates=dict(values.templates),
        template_search=tuple(str(folder) for folder in template_folders(project)),
        environment={**_path(resolved), **values.environment},
        derived={purpose: DerivedPort(*derived_port(text)) for purpose, text in values.derived.items()},
        server=_server(resolved, project, programs),
        programs=tuple(map(str, [*programs.values(), *modules])),
        app=values.python.app,
        code_roots=tuple(str(root) for root in roots),
        adaptations=tuple(str(adaptation) for adaptation in resolved.adaptations),
    )


def code_roots(resolved: ResolvedProfile, project: Path) -> list[Path]:
    """Where the Python code of the nodes is; a server program has none, nor has an Erlang node."""
    if resolved.values.driver != "python":
        return []
    return [Path(os.path.normpath(project / path)) for path in resolved.values.python.path]


def code_of(roots: list[Path], programs: Iterable[Path] = ()) -> dict[str, str]:
    """The project's code as it is now, file by file, and the programs that nodes run."""
    return {**fingerprint(roots)[1], **{str(path): digest_of(path) for path in programs}}


def code_of_status(status: Mapping[str, Any]) -> dict[str, str]:
    """The same for a cluster that runs, by what its keeper says it is made of."""
    return code_of([Path(root) for root in status["code_roots"]], map(Path, status["programs"]))


def find_programs(resolved: ResolvedProfile, project: Path) -> tuple[dict[str, Path], list[str]]:
    """Where each program is that the profile needs, by its name; and the names of those that are nowhere."""
    values = resolved.values
    if values.driver == "python":
        return {}, []
    found, missing = {}, []
    program = values.beam.program if values.driver == "beam" else values.command.program
    for name in dict.fromkeys([program, *values.requires]):
        asked = str(project / name) if "/" in name else name
        path = find_program(asked, values.command.search, values.environment.get("PATH"))
        if path is None:
            missing.append(name)
        else:
            found[name] = path
    return found, missing


def _programs(resolved: ResolvedProfile, project: Path) -> dict[str, Path]:
    found, missing = find_programs(resolved, project)
    if missing:
        named = " and ".join(", ".join(missing).rsplit(", ", 1))
        search = resolved.values.command.search
        raise ProgramMissing(
            f"profile {resolved.name} needs {named}, which {'is' if len(missing) == 1 else 'are'} not on this machine",
            cause="nothing was started",
            evidence=[f"PATH={os.environ.get('PATH', '')}", *(f"and {place}" for place in search)],
            remedies=missing_remedies(resolved, missing),
        )
    return found


def missing_remedies(resolved: ResolvedProfile, missing: Iterable[str]) -> list[str]:
    """What brings these programs."""
    packages = {name: packages_of(text) for name, text in resolved.values.requires.items()}
    commands = [how_to_install(packages.get(name, {})) for name in missing]
    known = list(dict.fromkeys(command for command in commands if command))
    return known or [f"install {name}, or add its folder to PATH" for name in missing]


def _path(resolved: ResolvedProfile) -> dict[str, str]:
    """PATH with the folders in which the profile searches, so that its own commands are found there first, too."""
    if resolved.values.driver != "command" or not (folders := folders_of(resolved.values.command.search)):
        return {}
    return {"PATH": os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])}


def _modules(resolved: ResolvedProfile, project: Path) -> list[Path]:
    """The compiled modules of the project that its Erlang nodes load."""
    if resolved.values.driver != "beam":
        return []
    return sorted(file for folder in resolved.values.beam.path for file in (project / folder).glob("*.beam"))


def _server(resolved: ResolvedProfile, project: Path, programs: Mapping[str, Path]) -> dict[str, Any]:
    """What the driver is told that runs a program: its sections of the profile, and where the program is."""
    values = resolved.values
    if values.driver == "beam":
        return {
            "program": str(programs[values.beam.program]),
            "applications": list(values.beam.applications),
            "path": [os.path.normpath(project / folder) for folder in values.beam.path],
        }
    if values.driver != "command":
        return {}
    return {
        **{section: as_plain(getattr(values, section)) for section in SERVER},
        "program": str(programs[values.command.program]),
        "ports": list(values.ports),
        "stop_seconds": values.timeouts.stop,
    }


def _same(kind: type[V], section: object) -> V:
    """The plan's own value with the same names: the keeper must not need to know what profiles are made of."""
    return kind(**{name: getattr(section, name) for name in kind.__slots__})
