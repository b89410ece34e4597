"""Checks the arguments of the Python interface, so that a mistake is a helpful error."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from types import NoneType
from typing import Any, SupportsFloat

from clusterlib.errors import UsageError, WrongType

__all__ = ["check_flag", "check_overrides", "check_scale", "check_start", "check_type", "seconds_of"]


def check_type(what: str, value: object, kinds: type | tuple[type, ...], words: str, example: str) -> None:
    """Raises WrongType unless the value is one of these kinds; `words` names them in English."""
    if not isinstance(value, kinds):
        raise WrongType(f"{what} is {words}, not {value!r}", remedies=[example])


def seconds_of(value: Any, example: str) -> float:
    """A time-out as a number of seconds."""
    check_type("timeout", value, SupportsFloat, "a number of seconds", example)
    seconds = float(value)
    if not seconds >= 0:  # this also refuses nan
        raise UsageError(f"timeout is a number of seconds from 0 on, not {seconds:g}", remedies=[example])
    return seconds


def check_start(
    name: object,
    project: object,
    profile: object = None,
    overrides: object = None,
    simulate: object = None,
    **flags: object,
) -> None:
    """The arguments of `up` and `attach`."""
    check_type("profile", profile, (str, os.PathLike, NoneType), "a name or a path", 'up("dev")')
    check_type("name", name, (str, NoneType), "a text", 'name="other"')
    check_type("project", project, (str, os.PathLike, NoneType), "a path", 'project="../shop"')
    check_overrides(overrides)
    check_flag("simulate", simulate, optional=True)
    for what, value in flags.items():
        check_flag(what, value)


def check_overrides(overrides: object) -> None:
    example = 'overrides={"nodes.count": 5}'
    check_type("overrides", overrides, (Mapping, NoneType), "a mapping", example)
    for name in overrides if isinstance(overrides, Mapping) else ():
        check_type("a name in overrides", name, str, "the text of a setting", example)


def check_scale(count: object, role: object, roles: Collection[str]) -> None:
    example = "scale(3)" if len(roles) == 1 else f'scale(3, role="{next(iter(roles))}")'
    if type(count) is not int:  # True is not a number of nodes
        raise WrongType(f"a cluster is scaled to a number of nodes, not to {count!r}", remedies=[example])
    check_type("role", role, (str, NoneType), "the name of a role", f'scale(3, role="{next(iter(roles))}")')


def check_flag(what: str, value: object, *, optional: bool = False) -> None:
    """A text such as "no" would count as true."""
    kinds = (bool, NoneType) if optional else (bool,)
    check_type(what, value, kinds, "True or False", f"{what}=True")
