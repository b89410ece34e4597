"""Operations as methods of a cluster."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from clusterlib.client.cluster import Cluster
from clusterlib.operations.catalogue import Catalogue, catalogue, load
from clusterlib.operations.declaring import GIVEN
from clusterlib.operations.listing import ListedOperation
from clusterlib.operations.marks import is_served
from clusterlib.operations.scopes import Scope
from clusterlib.remedies import Remedy, do
from clusterlib.values.wording import nearest

__all__ = ["MethodGroup", "method", "names", "of_servers"]

DRY_RUN = inspect.Parameter("dry_run", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=bool)


class MethodGroup:
    """The operations of one group: `cluster.faults`."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        self._name = name

    def __repr__(self) -> str:
        return f"<operations {self._name!r} of {self._cluster!r}>"

    def __dir__(self) -> list[str]:
        return sorted(one.name for one in _fitting(self._cluster) if _group(one) == self._name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return _found(self._cluster, self._name, name)


def method(cluster: Cluster, name: str) -> Any:
    """The operation or the group `cluster.NAME`. Raises AttributeError if there is none."""
    if any(_group(one) == name for one in _on_clusters(catalogue(cluster.project))):
        return MethodGroup(cluster, name)
    return _found(cluster, "", name)


def names(cluster: Cluster) -> list[str]:
    """The operations and groups that are attributes of a cluster, and serve it."""
    return sorted({_group(one) or one.name for one in _fitting(cluster)})


def of_servers(cluster: Cluster) -> list[Remedy]:
    """The operations that are marked for the servers of the cluster, and need no arguments."""
    return [
        do(one.full_name)
        for one in _fitting(cluster)
        if one.serves and not any(each.required for each in one.parameters)
    ]


def _found(cluster: Cluster, group: str, name: str) -> Any:
    found = catalogue(cluster.project)
    for one in _on_clusters(found):
        if (_group(one), one.name) == (group, name):
            return _bound(cluster, one)
    raise AttributeError(_unknown(found, group, name), name=name, obj=cluster)


def _bound(cluster: Cluster, one: ListedOperation) -> Callable[..., Any]:
    """As a method, with the signature and the help that `help()`, editors and prompts show."""
    operation = load(one)

    def method(*given: Any, **named: Any) -> Any:
        return operation.on(cluster, *given, **named)

    declared = inspect.signature(operation.body)
    kept = [each for each in declared.parameters.values() if each.name not in GIVEN]
    if operation.has_dry_run:
        kept.append(DRY_RUN)
    method.__name__ = method.__qualname__ = one.name
    method.__module__ = operation.body.__module__
    method.__doc__ = "\n".join([one.help, "", *(f"{each.name}: {each.explained}" for each in one.arguments)])
    method.__signature__ = declared.replace(parameters=kept)  # type: ignore[attr-defined]
    return method


def _unknown(found: Catalogue, group: str, name: str) -> str:
    known = [one.name for one in _on_clusters(found) if _group(one) == group]
    near = nearest(name, [*known, *(each for each in dir(Cluster) if not each.startswith("_"))])
    prefix = f"{group}." if group else ""
    problem = f"a Cluster has no {prefix}{name}, and there is no operation of that name on clusters"
    broken = "".join(f"\n{trouble}" for trouble in found.troubles)
    return problem + (f"; did you mean {prefix}{near}?" if near else "") + broken


def _on_clusters(found: Catalogue) -> list[ListedOperation]:
    return [one for one in found.operations if one.scope is not Scope.PROJECT]


def _fitting(cluster: Cluster) -> list[ListedOperation]:
    return [one for one in _on_clusters(catalogue(cluster.project)) if is_served(one.serves, cluster)]


def _group(one: ListedOperation) -> str:
    """The namespace of a cluster that contains it. Empty for a method of the cluster itself."""
    return "" if one.group == "cluster" else one.group.removeprefix("cluster.")
