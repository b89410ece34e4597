"""Resolves a name to a profile with all values."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from clusterlib.errors import ProfileError
from clusterlib.frozen import frozen, replace
from clusterlib.machine.facts import Machine, detect_machine
from clusterlib.profiles.adaptation import Resolver, adapt, settle
from clusterlib.profiles.catalogue import display, is_same, shipped
from clusterlib.profiles.checks import check_together, unusable
from clusterlib.profiles.given import command_line_layer, environment_layer
from clusterlib.profiles.layers import Layer, Merged, merge
from clusterlib.profiles.model import Profile
from clusterlib.profiles.origins import Adaptation, Mistake, Origin
from clusterlib.profiles.project import find_project
from clusterlib.profiles.resolved import ResolvedProfile
from clusterlib.profiles.sources import profile_layers, project_layers
from clusterlib.profiles.unused import unused_settings
from clusterlib.profiles.validation import validate
from clusterlib.profiles.vocabulary import Vocabulary, vocabulary_of
from clusterlib.remedies import do
from clusterlib.values.kinds import derived_port
from clusterlib.values.overrides import Overrides
from clusterlib.values.ports import FIRST_PORT, LAST_PORT, PortRange
from clusterlib.values.sources import ValueSource

__all__ = [
    "Resolution",
    "check_profile",
    "examine_profile",
    "load_profile",
    "resolve",
    "template_folders",
]


@frozen
class Resolution:
    """Either a profile or its mistakes."""

    name: str
    profile: ResolvedProfile | None
    mistakes: list[Mistake] = field(default_factory=list)
    remainder: ResolvedProfile | None = None
    """If there are mistakes: the profile without them, to look for more.

    None if one of its files is missing."""


def load_profile(
    name: str | os.PathLike[str],
    *,
    project: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Overrides | None = None,
    machine: Machine | None = None,
    resolver: Resolver | None = None,
    adapt: bool = True,
) -> ResolvedProfile:
    """The profile of that name, or in that file, with all values resolved. Raises ProfileError with
    all its mistakes.

    `overrides` is the command line: `{"nodes.count": 5}`."""
    resolution = resolve(
        name,
        project=project,
        environ=environ,
        overrides=overrides,
        machine=machine,
        resolver=resolver,
        adapted=adapt,
    )
    if resolution.profile is None:
        raise _error(resolution, os.fspath(name))
    return resolution.profile


def check_profile(
    name: str | os.PathLike[str],
    *,
    project: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Overrides | None = None,
    machine: Machine | None = None,
) -> list[Mistake]:
    """All mistakes of a profile; none if it can be used."""
    return examine_profile(
        name, project=project, environ=environ, overrides=overrides, machine=machine
    ).mistakes


def examine_profile(
    name: str | os.PathLike[str],
    *,
    project: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Overrides | None = None,
    machine: Machine | None = None,
) -> Resolution:
    """The profile as it is written, or its mistakes and the rest without them."""
    return resolve(
        name, project=project, environ=environ, overrides=overrides, machine=machine, adapted=False
    )


def template_folders(project: Path) -> tuple[Path, ...]:
    """Where templates are searched: the project first."""
    theirs, ours = project / "templates", shipped("templates")
    return (ours,) if is_same(theirs, ours) else (theirs, ours)


def resolve(
    name: str | os.PathLike[str],
    *,
    project: Path | None,
    environ: Mapping[str, str] | None,
    overrides: Overrides | None,
    machine: Machine | None,
    resolver: Resolver | None = None,
    adapted: bool = True,
) -> Resolution:
    project = (project or find_project(Path.cwd())).absolute()
    environ = os.environ if environ is None else environ

    asked = os.fspath(name)
    files, mistakes, found = profile_layers(asked, project)
    if found is None:
        return Resolution(asked, None, mistakes)
    theirs, more = project_layers(found.name, project)
    mistakes += more
    complete = not mistakes
    vocabulary = vocabulary_of([*files, *theirs], project, environ, overrides or {})
    variables, more = environment_layer(environ, vocabulary)
    mistakes += more
    arguments, more = command_line_layer(overrides or {}, vocabulary)
    mistakes += more

    said = [*files, *theirs, variables, arguments]
    layers = [*_defaults(said, vocabulary), *said]
    merged = merge(layers)
    profile, more, faulty = validate(merged, vocabulary)
    mistakes += more
    if vocabulary.unusable is not None and "driver" not in faulty:
        mistakes.append(unusable(vocabulary.unusable, merged))
        faulty |= {"driver"}
    machine = machine or detect_machine(environ)
    if profile is not None:
        together = check_together(
            profile,
            merged,
            vocabulary.kind,
            ephemeral=machine.ephemeral,
            project=project,
            template_folders=template_folders(project),
        )
        unused = [] if "driver" in faulty else unused_settings(said, profile.driver, vocabulary)
        mistakes += [mistake for mistake in (*together, *unused) if mistake.field not in faulty]
    if profile is None:
        return Resolution(found.name, None, sorted(mistakes, key=_reading_order))

    def resolved(values: Profile, merged: Merged, changes: Sequence[Adaptation] = ()) -> ResolvedProfile:
        return ResolvedProfile(
            name=found.name,
            values=values,
            adaptations=tuple(changes),
            file=display(found.path, project),
            project=project,
            chain=tuple(layer.name or "" for layer in reversed(files)),
            machine=machine,
            kind=vocabulary.kind,
            merged=merged,
            before=merge(layers) if changes else merged,
        )

    if mistakes:
        remainder = resolved(_with_all_ports(profile, merged), merged) if complete else None
        return Resolution(found.name, None, sorted(mistakes, key=_reading_order), remainder)
    changes = settle(profile, merged)
    if adapted:
        changes += adapt(profile, merged, machine, resolver or _resolver())
    if changes:
        merged = merge([*layers, _adapted_layer(changes)])
        profile, wrong, _ = validate(merged, vocabulary)
        assert profile is not None
        assert not wrong, "adaptation made a value that a profile cannot hold"
    return Resolution(found.name, resolved(profile, merged, changes))


def _defaults(said: Sequence[Layer], vocabulary: Vocabulary) -> list[Layer]:
    """Values that the driver needs and that are not set.

    Purposes are filled in one by one, templates only as a whole."""
    if vocabulary.unusable is not None:
        return []
    kind = vocabulary.kind
    tree: dict[str, object] = {"ports": dict(kind.ports)}
    if not any("templates" in layer.tree for layer in said):
        tree["templates"] = dict(kind.templates)
    return [Layer(ValueSource.DEFAULT, tree)]


def _with_all_ports(profile: Profile, merged: Merged) -> Profile:
    """With some port for each purpose that has a mistake, so that texts that use it do not count as
    mistakes."""
    derived = {name: text for name, text in profile.derived.items() if derived_port(text)[0] in profile.ports}
    said = [
        name
        for table in ("ports", "derived")
        for name in _keys(merged.tree.get(table))
        if name not in derived
    ]
    ports = {**{name: PortRange(FIRST_PORT, LAST_PORT) for name in said}, **profile.ports}
    return replace(profile, ports=ports, derived=derived)


def _keys(table: object) -> list[str]:
    return [str(key) for key in table] if isinstance(table, Mapping) else []


def _reading_order(mistake: Mistake) -> tuple[str, int]:
    origin = mistake.origin or Origin(ValueSource.COMMAND_LINE)
    return origin.file or "~", origin.line or 0


def _resolver() -> Resolver:
    from clusterlib.profiles.names import loopback_obstacle

    return loopback_obstacle


def _adapted_layer(changes: list[Adaptation]) -> Layer:
    tree: dict[str, dict[str, object]] = {}
    for change in changes:
        table, _, key = change.field.partition(".")
        tree.setdefault(table, {})[key] = change.after
    return Layer(ValueSource.ADAPTED, tree)


def _error(resolution: Resolution, asked: str) -> ProfileError:
    mistakes = resolution.mistakes
    count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    first = mistakes[0]
    if first.origin is None and len(mistakes) == 1:
        return ProfileError(first.problem, remedies=[first.right, do("profile.list")])
    return ProfileError(
        f"the profile {resolution.name} has {count}",
        cause="nothing was started: a profile is used only when all of it makes sense",
        evidence=[str(mistake) for mistake in mistakes],
        remedies=[f"correct {_places(mistakes)}, then: " + do("profile.check", asked)],
    )


def _places(mistakes: list[Mistake]) -> str:
    origins = [mistake.origin or Origin(ValueSource.COMMAND_LINE) for mistake in mistakes]
    said = "what overrides the profile (at the command line, or overrides= in Python)"
    places = {
        said if origin.source == ValueSource.COMMAND_LINE else origin.file or str(origin)
        for origin in origins
    }
    return ", ".join(sorted(places))
