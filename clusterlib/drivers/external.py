"""Kinds of nodes from outside: of an installed package, or at `package.module:NAME` of the project.

Used only for names that are not shipped. A foreign module is imported only if its kind is used, or
for a table of a profile that its kind may declare."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from clusterlib.drivers import results
from clusterlib.drivers.guarding import Guard, Report, place_of, raise_it
from clusterlib.drivers.kind import NodeKind
from clusterlib.drivers.shipped import SHIPPED
from clusterlib.errors import DriverUnusable
from clusterlib.frozen import frozen
from clusterlib.importing import find_module, importable, imported
from clusterlib.values.wording import in_toml, nearest

if TYPE_CHECKING:
    from clusterlib.drivers.api import Driver
    from clusterlib.hosts.api import Host
    from clusterlib.messages.plan import RolePlan

__all__ = ["GROUP", "Installed", "digest_of", "external_driver", "external_kind", "installed", "namesakes"]

GROUP = "clusterlib.drivers"
REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
DECLARE = 'declare it as an entry point in "clusterlib.drivers", or write driver = "package.module:NAME"'
WRITE = "write {name} = NodeKind(...), see docs/extending.md"
REQUIRED = ("name", "purposes", "order")


@frozen
class Installed:
    """A driver that an installed package declares."""

    name: str
    reference: str
    package: str
    """With its version."""


def installed() -> dict[str, list[Installed]]:
    """The declarations of packages, by name, without importing any of them."""
    from importlib.metadata import entry_points

    found: dict[str, list[Installed]] = {}
    for point in entry_points(group=GROUP):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"
        one = Installed(point.name, point.value, package)
        if one not in found.setdefault(point.name, []):
            found[point.name].append(one)
    return {name: sorted(several, key=lambda one: one.package) for name, several in found.items()}


def namesakes(known: Mapping[str, Sequence[Installed]]) -> list[Installed]:
    """Installed drivers with the name of a shipped one, which takes precedence."""
    return [one for name, several in known.items() if name in SHIPPED for one in several]


def external_kind(name: str, roots: Iterable[str]) -> NodeKind:
    """Its functions raise DriverUnusable where the code of their author fails. So does this."""
    found = _found(name, roots)
    return Guard(name, found.file, found.roots).kind(_loaded(found))


def external_driver(role: RolePlan, host: Host, report: Report = raise_it) -> Driver:
    """The keeper's side of the kind of this role.

    `report` is given the errors of methods that must not stop the keeper."""
    from clusterlib.drivers.api import Driver

    found = _found(role.driver, role.sources.roots)
    guard = Guard(role.driver, found.file, found.roots, report)
    kind = guard.kind(_loaded(found))
    type_of_settings = kind.type_of_settings()
    with guard.watching("the type of its settings", type_of_settings):
        settings: object = role.settings.unpack(type_of_settings)
    driver = kind.driver(settings, host)
    missing = [one for one in REQUIRED if results.is_missing(driver, one, Driver)]
    if missing:
        raise DriverUnusable(
            f"the driver {in_toml(role.driver)} is incomplete",
            cause=f"{type(driver).__name__} has no {' and no '.join(missing)}",
            remedies=[
                f"define {', '.join(missing)} in {type(driver).__module__}.{type(driver).__qualname__}"
            ],
        )
    guarded = guard.keeper_side(driver)
    if without := [purpose for purpose in guarded.purposes if purpose not in role.ports]:
        raise DriverUnusable(
            f"the driver {in_toml(role.driver)} needs ports that nothing gives it",
            cause=f"its purposes include {', '.join(without)}, for which there is no range",
            remedies=[
                f'declare NodeKind(ports={{"{without[0]}": "28000-28999"}}), or set [ports] in the profile'
            ],
        )
    if role.driver_code and digest_of(role.driver, role.sources.roots) != role.driver_code:
        raise DriverUnusable(
            f"the code of the driver {in_toml(role.driver)} has changed while the cluster was started",
            cause=f"{found.file} is not what the command has read that starts the cluster",
            remedies=["start it again"],
        )
    return guarded


def digest_of(name: str, roots: Iterable[str]) -> str:
    """The digest of the modules of this kind, which a keeper never loads again."""
    import hashlib

    found = _found(name, roots)
    digest = hashlib.sha256()
    for file in _files_of(found):
        digest.update(f"{file.name}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


@frozen
class _Found:
    name: str
    module: str
    attribute: str
    file: Path
    roots: tuple[str, ...]

    @property
    def place(self) -> str:
        return f"{self.module}:{self.attribute}"


def _files_of(found: _Found) -> list[Path]:
    """The module, with all in the folder of its package, and the further modules that the kind
    names."""
    files = [found.file]
    for name in _loaded(found).modules:
        with importable(found.roots):
            file = find_module(name)
        if file is None:
            raise DriverUnusable(
                f"the driver {in_toml(found.name)} names a module that does not exist",
                cause=f"{name}, in `modules` of {found.place}",
                remedies=[f"correct {found.file}"],
            )
        files.append(file)
    packages = [file.parent for file in files if (file.parent / "__init__.py").is_file()]
    inside = [file for folder in packages for file in folder.rglob("*.py")]
    return sorted({*files, *inside})


def _found(name: str, roots: Iterable[str]) -> _Found:
    """Where it is. Imports nothing of it."""
    reference = name if ":" in name else _declared(name)
    if not REFERENCE.fullmatch(reference):
        raise DriverUnusable(
            f"{in_toml(reference)} names no driver", remedies=['write driver = "package.module:NAME"']
        )
    module, _, attribute = reference.partition(":")
    folders = tuple(roots)
    with importable(folders):
        import importlib
        import sys

        importlib.invalidate_caches()
        file = find_module(module)
    if module in sys.builtin_module_names:
        raise DriverUnusable(
            f"{in_toml(name)} is no driver", cause=f"{module} is a part of Python", remedies=[DECLARE]
        )
    if file is None:
        where = ", ".join(folders) or "no folder of the project"
        raise DriverUnusable(
            f"there is no module {module}, for the driver {in_toml(name)}",
            cause=f"looked among the installed packages and in {where}",
            remedies=["install its package, or name the folder of its code under [python] path"],
        )
    if not file.is_file():
        raise DriverUnusable(
            f"the driver {in_toml(name)} lies in an archive",
            cause=f"{file} is no file; a driver needs its files on disk, to notice when they change",
            remedies=["unpack the archive, or install its package with pip"],
        )
    return _Found(name, module, attribute, file, folders)


def _loaded(found: _Found) -> NodeKind:
    """What the module declares. Only its own code is unguarded."""
    module = _imported(found)
    if not hasattr(module, found.attribute):
        raise _not_declared(found, module)
    return _checked(found, getattr(module, found.attribute))


def _imported(found: _Found) -> ModuleType:
    try:
        with importable(found.roots):
            return imported(found.module, found.file)
    except (Exception, SystemExit) as error:  # foreign code may raise anything
        place = place_of(error, found.file) or str(found.file)
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        raise DriverUnusable(
            f"the driver {in_toml(found.name)} cannot be imported",
            cause=f"{place}: {type(error).__name__}: {text}",
            remedies=[f"correct {place}"],
        ) from error


def _not_declared(found: _Found, module: ModuleType) -> DriverUnusable:
    if getattr(module.__spec__, "_initializing", False):
        return DriverUnusable(
            f"the driver {in_toml(found.name)} is used while it is imported",
            cause=f"{found.module} ({found.file}) is not imported yet: its import leads back to itself",
            remedies=[f"use clusterlib in {found.file} in functions only, not at the top level"],
        )
    kinds = [key for key, value in vars(module).items() if isinstance(value, NodeKind)]
    near = nearest(found.attribute, kinds) or next(iter(kinds), None)
    right = f'write driver = "{found.module}:{near}"' if near else WRITE.format(name=found.attribute)
    return DriverUnusable(
        f"{in_toml(found.name)} is no driver",
        cause=f"{found.module} ({found.file}) has no {found.attribute}",
        remedies=[right],
    )


def _checked(found: _Found, kind: object) -> NodeKind:
    if not isinstance(kind, NodeKind):
        what = "a class" if isinstance(kind, type) else f"of type {type(kind).__name__}"
        right = (
            f"write KIND = NodeKind({found.attribute}) beside it, and name that"
            if callable(kind)
            else WRITE.format(name=found.attribute)
        )
        raise DriverUnusable(
            f"{in_toml(found.name)} is no driver",
            cause=f"{found.place} is {what}, not a NodeKind",
            remedies=[right],
        )
    tables = Guard(found.name, found.file, found.roots).kind(kind).sections()
    if len(tables) > 1 and kind.settings_type is None:
        raise DriverUnusable(
            f"the driver {in_toml(found.name)} has several tables, and no type for its settings",
            cause=f"{found.place} declares {' and '.join(f'[{one}]' for one in tables)}",
            remedies=["declare settings and settings_type: one frozen dataclass made of all tables"],
        )
    for table, declared in tables.items():
        if why := _not_a_table(declared):
            raise DriverUnusable(
                f"the driver {in_toml(found.name)} declares its table [{table}] wrongly",
                cause=why,
                remedies=['declare each field as `setting(default, kind, "What it is.")`'],
            )
    return kind


def _not_a_table(declared: object) -> str:
    """Why this is not a frozen dataclass of settings; empty if it is one."""
    from clusterlib.values.fields import Kind

    name = getattr(declared, "__name__", repr(declared))
    if not isinstance(declared, type) or not is_dataclass(declared):
        return f"{name} is not a dataclass; write @frozen above the class"
    if not hasattr(declared, "__shape__") and not declared.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        return f"{name} is not frozen; write @frozen above the class"
    for one in fields(declared):
        if not isinstance(one.metadata.get("kind"), Kind):
            return f"its field {one.name} is not a setting"
        if one.default is MISSING and one.default_factory is MISSING:
            return f"its field {one.name} has no default"
    return ""


def _declared(name: str) -> str:
    """The reference that an installed package declares for this name."""
    known = installed()
    if name not in known:
        names = [*SHIPPED, *(one for one in known if one not in SHIPPED)]
        near = nearest(name, names)
        listed = ", ".join(f'"{one}"' for one in names)
        raise DriverUnusable(
            f"{in_toml(name)} is not known here",
            remedies=[f'did you mean "{near}"?' if near else f"known: {listed}; for another one, {DECLARE}"],
        )
    several = known[name]
    if len({one.reference for one in several}) > 1:
        named = " and ".join(f"{one.package} ({one.reference})" for one in several)
        raise DriverUnusable(
            f"{in_toml(name)} is declared more than once",
            cause=f"by {named}",
            remedies=[f'write driver = "{several[0].reference}", or uninstall one of them'],
        )
    return several[0].reference
