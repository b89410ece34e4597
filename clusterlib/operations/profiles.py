"""Profiles: their values as written and as resolved here, and their mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clusterlib.client.start import project_folder
from clusterlib.errors import DriverUnusable
from clusterlib.evidence.records import MachineFacts
from clusterlib.evidence.redaction import MARK, Redactor, is_secret
from clusterlib.frozen import frozen
from clusterlib.operations.declaring import Caller, operation
from clusterlib.operations.parameters import Resolved, ShownProfile
from clusterlib.operations.result import Result
from clusterlib.profiles import Mistake, default_profile, list_profiles, load_profile, schema
from clusterlib.profiles.checks import unusable
from clusterlib.profiles.resolution import examine_profile
from clusterlib.profiles.trying import check_templates
from clusterlib.values.kinds import memory_text
from clusterlib.values.sources import ValueSource
from clusterlib.values.wording import in_toml

__all__ = [
    "Checked",
    "Checks",
    "Listed",
    "ProfileSchema",
    "Profiles",
    "Shown",
    "Value",
    "check",
    "json_schema",
    "list_all",
    "show",
]


BAD_INPUT = 2


@frozen
class Listed(Result):
    name: str
    description: str
    source: str
    file: str
    problem: str | None
    default: bool


@frozen
class Profiles(Result):
    profiles: tuple[Listed, ...]


@frozen
class Value(Result):
    field: str
    value: object
    text: str
    """As one would write it in TOML."""
    origin: str
    source: ValueSource


@frozen
class Shown(Result):
    name: str
    file: str
    extends: tuple[str, ...]
    resolved: bool
    values: tuple[Value, ...]
    adaptations: tuple[str, ...]
    machine: MachineFacts
    toml: str


@frozen
class Checked(Result):
    name: str
    mistakes: tuple[Mapping[str, Any], ...]
    lines: tuple[str, ...]
    """The mistakes as lines for people."""


@frozen
class Checks(Result):
    ok: bool
    profiles: tuple[Checked, ...]

    @property
    def exit_status(self) -> int:
        return 0 if self.ok else BAD_INPUT


@frozen
class ProfileSchema(Result):
    """What a profile may hold, as JSON schema."""

    schema: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return dict(self.schema)


@operation(effect="read", group="profile", name="list")
def list_all(caller: Caller) -> Profiles:
    """List the profiles of this project and the shipped ones."""
    folder = project_folder(caller.project)
    default = default_profile(folder)
    return Profiles(
        tuple(
            Listed(one.name, one.description, one.source, one.file, one.problem, one.name == default)
            for one in list_profiles(folder)
            if not one.shadowed
        )
    )


@operation(effect="read", group="profile")
def show(caller: Caller, name: ShownProfile | None = None, *, resolved: Resolved = False) -> Shown:
    """Show what a profile sets, or with --resolved all that applies here, with the origins."""
    folder = project_folder(caller.project)
    profile = load_profile(
        name or default_profile(folder), project=folder, environ=None if resolved else {}, adapt=resolved
    )
    from clusterlib.profiles.writing import toml_text  # other commands need no toml

    plain = profile.to_json()
    redactor = Redactor(variables=plain["values"]["environment"])
    values = []
    for field, origin in profile.origins().items():
        if not resolved and origin.source not in {ValueSource.PROFILE, ValueSource.PYPROJECT}:
            continue
        table, _, key = field.partition(".")
        if origin.source == ValueSource.DEFAULT and not profile.uses(table, key):
            continue  # another driver's; if it is set, it is shown all the same
        value = _shown(field, _at(plain["values"], field), redactor)
        text = f'"{memory_text(value)}"' if field == "nodes.memory" else in_toml(value, whole=True)
        values.append(Value(field, value, text, str(origin), origin.source))
    return Shown(
        name=profile.name,
        file=profile.file,
        extends=tuple(profile.chain[1:]),
        resolved=resolved,
        values=tuple(values),
        adaptations=tuple(str(one) for one in profile.adaptations),
        machine=MachineFacts.of(profile.machine),
        toml=redactor.text(toml_text(profile)),
    )


def _shown(field: str, value: Any, redactor: Redactor) -> Any:
    """Terminal output may be seen by others or pasted elsewhere.

    The profile itself contains the hidden values."""
    section, _, name = field.partition(".")
    return MARK if section == "environment" and is_secret(name) else redactor.value(value)


@operation(effect="read", group="profile")
def check(caller: Caller, name: ShownProfile | None = None) -> Checks:
    """Report every mistake of a profile, or of all."""
    folder = project_folder(caller.project)
    names = (
        [one.name for one in list_profiles(folder) if not one.shadowed] if name in (None, "all") else [name]
    )
    checked = []
    for one in names:
        mistakes = _mistakes(one, folder)
        checked.append(
            Checked(str(one), tuple(m.to_json() for m in mistakes), tuple(str(m) for m in mistakes))
        )
    return Checks(not any(one.mistakes for one in checked), tuple(checked))


def _mistakes(name: str, project: Path) -> list[Mistake]:
    """Mistakes of the settings, and of templates and texts as far as they can be tried without the
    faulty settings."""
    found = examine_profile(name, project=project)
    tried = found.profile or found.remainder
    known = {mistake.field for mistake in found.mistakes}
    more = [one for one in check_templates(tried) if one.field not in known] if tried else []
    if found.profile is not None:
        from clusterlib.client.planning import try_driver

        try:
            try_driver(found.profile, project)
        except DriverUnusable as error:
            more.append(unusable(error, found.profile.merged))
    return [*found.mistakes, *more]


@operation(effect="read", group="profile", name="schema")
def json_schema() -> ProfileSchema:
    """Print the JSON schema of a profile, for editors."""
    return ProfileSchema(schema())


def _at(values: Mapping[str, Any], field: str) -> Any:
    section, _, key = field.partition(".")
    return values[section][key] if key else values[section]
