"""The kinds of nodes by name.

A kind is imported only when it is needed, because clients use this module, too."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING

from clusterlib.drivers.kind import NodeKind
from clusterlib.drivers.shipped import SHIPPED
from clusterlib.errors import StartError
from clusterlib.messages.codec import NotReadable
from clusterlib.remedies import do

if TYPE_CHECKING:
    from clusterlib.drivers.api import Driver
    from clusterlib.drivers.calls import NodeCalls
    from clusterlib.drivers.guarding import Report
    from clusterlib.hosts.api import Host
    from clusterlib.messages.plan import RolePlan

__all__ = ["PRELOAD", "calls_of", "driver_of", "kind_of"]

PRELOAD = ("clusterlib.runtime.node",)
"""Imported once by the nursery, so that nodes need not import it."""


def kind_of(name: str, roots: Iterable[str] = ()) -> NodeKind:
    """The shipped kind of that name, that of an installed package, or the one at
    `package.module:NAME`.

    `roots` are folders of the project's Python code. Raises DriverUnusable."""
    if name not in SHIPPED:
        from clusterlib.drivers.external import external_kind

        return external_kind(name, roots)
    module, _, attribute = SHIPPED[name].partition(":")
    kind = getattr(import_module(module), attribute)
    assert isinstance(kind, NodeKind)
    return kind


def driver_of(role: RolePlan, host: Host, report: Report | None = None) -> Driver:
    """A driver for this role alone; `host` runs its commands.

    `report` is given the errors of a driver from outside that must not stop the keeper. Raises
    DriverUnusable."""
    if role.driver not in SHIPPED:
        from clusterlib.drivers.external import external_driver

        return external_driver(role, host, report) if report else external_driver(role, host)
    kind = kind_of(role.driver)
    return kind.driver(_settings_of(role, kind), host)


def _settings_of(role: RolePlan, kind: NodeKind) -> object:
    try:
        return role.settings.unpack(kind.type_of_settings())
    except NotReadable as error:
        raise StartError(
            f"the settings of driver {role.driver!r} in the plan cannot be read",
            cause=f"role {role.name!r}: {error}",
            remedies=[do("cluster.doctor")],
        ) from error


def calls_of(name: str, roots: Iterable[str] = ()) -> type[NodeCalls]:
    """What clients can do with the nodes of that driver."""
    return kind_of(name, roots).calls()
