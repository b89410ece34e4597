"""The kinds of nodes by name. Nothing of a kind is imported before it is needed: clients read this, too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from clusterlib.drivers.kind import NodeKind
from clusterlib.drivers.shipped import SHIPPED

if TYPE_CHECKING:
    from clusterlib.drivers.api import Driver
    from clusterlib.drivers.calls import NodeCalls
    from clusterlib.hosts.api import Host

__all__ = ["PRELOAD", "calls_of", "driver_named", "kind_of"]

PRELOAD = ("clusterlib.runtime.node",)
"""What the warm process imports once, so that no node has to."""


def kind_of(name: str, roots: Iterable[str] = ()) -> NodeKind:
    """The shipped kind of that name, that of an installed package, or the one at `package.module:NAME`.

    `roots` are folders of the project's Python code. Raises DriverUnusable."""
    if name not in SHIPPED:
        from clusterlib.drivers.external import external_kind

        return external_kind(name, roots)
    module, _, attribute = SHIPPED[name].partition(":")
    kind = getattr(import_module(module), attribute)
    assert isinstance(kind, NodeKind)
    return kind


def driver_named(name: str, settings: Mapping[str, Any], host: Host, roots: Iterable[str] = ()) -> Driver:
    """The driver of that name. `settings` is what the plan says for it, `host` runs its commands."""
    kind = kind_of(name, roots)
    if name not in SHIPPED:
        from clusterlib.drivers.external import external_driver

        return external_driver(name, kind, settings, host)
    return kind.driver(settings, host)


def calls_of(name: str, roots: Iterable[str] = ()) -> type[NodeCalls]:
    """What clients can do with the nodes of that driver."""
    return kind_of(name, roots).calls()
