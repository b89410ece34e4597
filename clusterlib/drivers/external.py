"""Kinds of nodes from outside: of an installed package, or at `package.module:NAME` of the project.

Used only for names that are not shipped. A foreign module is imported only if its kind is used."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlib.drivers.kind import NodeKind
from clusterlib.drivers.shipped import SHIPPED
from clusterlib.errors import ClusterError, DriverUnusable
from clusterlib.frozen import frozen
from clusterlib.values.wording import in_toml, nearest

if TYPE_CHECKING:
    from clusterlib.drivers.api import Driver
    from clusterlib.hosts.api import Host

__all__ = ["GROUP", "Installed", "digest_of", "external_driver", "external_kind", "installed", "namesakes"]

GROUP = "clusterlib.drivers"
REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
DECLARE = 'declare it as an entry point in "clusterlib.drivers", or write "package.module:NAME"'
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


def namesakes() -> list[Installed]:
    """Installed drivers with the name of a shipped one, which takes precedence."""
    return [one for name, several in installed().items() if name in SHIPPED for one in several]


def external_kind(name: str, roots: Iterable[str]) -> NodeKind:
    """Raises DriverUnusable."""
    reference = name if ":" in name else _declared(name)
    if not REFERENCE.fullmatch(reference):
        raise DriverUnusable(
            f"{in_toml(reference)} names no driver", remedies=['write "package.module:NAME"']
        )
    module_name, _, attribute = reference.partition(":")
    module = _imported(reference, module_name, roots)
    if not hasattr(module, attribute):
        kinds = [key for key, value in vars(module).items() if isinstance(value, NodeKind)]
        near = nearest(attribute, kinds) or next(iter(kinds), None)
        right = f'write "{module_name}:{near}"' if near else WRITE.format(name=attribute)
        raise DriverUnusable(
            f"{in_toml(name)} is no driver",
            cause=f"{module_name} ({module.__file__}) has no {attribute}",
            remedies=[right],
        )
    return _checked(name, getattr(module, attribute), module, attribute)


def digest_of(name: str, roots: Iterable[str]) -> str:
    """The digest of the module that declares this kind. A keeper never loads it again."""
    import hashlib

    reference = name if ":" in name else _declared(name)
    file = _imported(reference, reference.partition(":")[0], roots).__file__
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""


def external_driver(name: str, kind: NodeKind, settings: object, host: Host) -> Driver:
    """The keeper's side of a kind.

    Raises DriverUnusable, with the line where its author's code fails."""
    from clusterlib.drivers.api import Driver

    try:
        driver = kind.driver(settings, host)
    except ClusterError:
        raise
    except (Exception, SystemExit) as error:  # foreign code may raise anything
        raise DriverUnusable(
            f"the driver {in_toml(name)} cannot be made", cause=_cause(error), remedies=[_correct(error)]
        ) from error
    missing = [one for one in REQUIRED if _is_missing(driver, one, Driver)]
    if missing:
        raise DriverUnusable(
            f"the driver {in_toml(name)} is not whole",
            cause=f"{type(driver).__name__} has no {' and no '.join(missing)}",
            remedies=[
                f"define {', '.join(missing)} in {type(driver).__module__}.{type(driver).__qualname__}"
            ],
        )
    return driver


def _is_missing(driver: object, name: str, declared: type) -> bool:
    """A class that inherits from `Driver` has the empty method of the protocol, which does not
    count."""
    own = getattr(type(driver), name, None)
    inherited = own is None or own is vars(declared).get(name)
    return inherited and name not in getattr(driver, "__dict__", {})


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
    if len(several) > 1:
        named = " and ".join(f"{one.package} ({one.reference})" for one in several)
        raise DriverUnusable(
            f"{in_toml(name)} is declared more than once",
            cause=f"by {named}",
            remedies=[f'write "{several[0].reference}", or uninstall one of them'],
        )
    return several[0].reference


def _imported(reference: str, module: str, roots: Iterable[str]) -> Any:
    searched = [root for root in roots if root not in sys.path]
    sys.path += searched  # after all others: a file of the project hides no installed module
    try:
        return import_module(module)
    except (Exception, SystemExit) as error:  # foreign code may raise anything
        absent = error.name if isinstance(error, ModuleNotFoundError) else None
        if absent and f"{module}.".startswith(f"{absent}."):
            where = ", ".join(roots) or "no folder of the project"
            raise DriverUnusable(
                f"there is no module {absent}, for the driver {in_toml(reference)}",
                cause=f"looked among the installed packages and in {where}",
                remedies=["install its package, or name the folder of its code under [python] path"],
            ) from error
        raise DriverUnusable(
            f"the driver {in_toml(reference)} cannot be imported",
            cause=_cause(error),
            remedies=[_correct(error)],
        ) from error


def _checked(name: str, kind: object, module: Any, attribute: str) -> NodeKind:
    where = f"{module.__name__}:{attribute}"
    if not isinstance(kind, NodeKind):
        what = "a class" if isinstance(kind, type) else f"of type {type(kind).__name__}"
        right = (
            f"write KIND = NodeKind({attribute}) beside it, and name that"
            if callable(kind)
            else WRITE.format(name=attribute)
        )
        raise DriverUnusable(
            f"{in_toml(name)} is no driver", cause=f"{where} is {what}, not a NodeKind", remedies=[right]
        )
    tables = kind.sections()
    if len(tables) > 1 and kind.settings_type is None:
        raise DriverUnusable(
            f"the driver {in_toml(name)} has several tables, and no type for its settings",
            cause=f"{where} declares {' and '.join(f'[{one}]' for one in tables)}",
            remedies=["declare settings and settings_type: one frozen dataclass made of all tables"],
        )
    for table, declared in tables.items():
        if not is_dataclass(declared) or any("kind" not in one.metadata for one in fields(declared)):
            raise DriverUnusable(
                f"the driver {in_toml(name)} declares its table [{table}] wrongly",
                cause=f"{getattr(declared, '__name__', declared)} is not a frozen dataclass of settings",
                remedies=['declare each field as `setting(default, kind, "What it is.")`'],
            )
    return kind


def _place(error: BaseException) -> str:
    """File and line of the cause."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename
    ]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _cause(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{_place(error)}: {type(error).__name__}: {text}".removeprefix(": ")


def _correct(error: BaseException) -> str:
    return f"correct {_place(error)}"
