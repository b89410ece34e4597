"""Where each operation is: its method and its path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from clusterlib.frozen import frozen
from clusterlib.messages.effects import Effect
from clusterlib.operations.listing import ListedOperation, ListedParameter
from clusterlib.operations.scopes import Scope

__all__ = ["API", "OPENAPI", "PROBLEMS", "STREAM", "FoundRoute", "OperationRoute", "find_route", "routes_of"]

API = "/api/"
CLUSTERS = f"{API}clusters/"
OPENAPI = f"{API}openapi.json"
"""No operation has a dot in its name."""
PROBLEMS = "/problems/"
STREAM = re.compile(rf"{CLUSTERS}([^/]+)/events/stream")
"""No operation can be there: `events` is one, and so no group."""
CLUSTER = "cluster"
"""The part of a path that is the name of a cluster."""
NAME = "name"
"""The parameter of an operation that is the name of a cluster."""


@frozen
class OperationRoute:
    operation: ListedOperation
    of_cluster: bool
    """Whether the path names the cluster. If not, a parameter may, or the operation needs none."""

    @property
    def method(self) -> str:
        return "GET" if self.operation.effect is Effect.READ else "POST"

    @property
    def path(self) -> str:
        words = "/".join(self.operation.path)
        return f"{CLUSTERS}{{{CLUSTER}}}/{words}" if self.of_cluster else f"{API}{words}"

    @property
    def identifier(self) -> str:
        """Its name in OpenAPI."""
        name = self.operation.full_name.replace(".", "_").replace("-", "_")
        return f"{name}_of_cluster" if self.of_cluster else name

    @property
    def parameters(self) -> tuple[ListedParameter, ...]:
        """What is given beside the path."""
        listed = self.operation.arguments
        # A stream without an end has a path of its own.
        kept = [one for one in listed if not one.streams and not (self.of_cluster and one.name == NAME)]
        if words := self.operation.words:
            kept.append(ListedParameter(words, "The words of it.", WORDS, required=False, default=[]))
        return tuple(kept)


WORDS = {"type": "array", "items": {"type": "string"}}


@frozen
class FoundRoute:
    """The route of a request, and the cluster that its path names."""

    route: OperationRoute
    cluster: str | None


def routes_of(operations: Iterable[ListedOperation]) -> Iterator[OperationRoute]:
    """An operation that needs no cluster but may be given one has two routes."""
    for one in operations:
        if one.scope is not Scope.PROJECT or _may_name_one(one):
            yield OperationRoute(one, of_cluster=True)
        if one.scope is Scope.PROJECT:
            yield OperationRoute(one, of_cluster=False)


def find_route(path: str, operations: Iterable[ListedOperation]) -> FoundRoute | None:
    """`path` is decoded."""
    cluster: str | None = None
    words = path.removeprefix(API)
    if path.startswith(CLUSTERS) and path.removeprefix(CLUSTERS).count("/") > 0:
        cluster, _, words = path.removeprefix(CLUSTERS).partition("/")
    asked = tuple(words.split("/"))
    for one in routes_of(operations):
        if one.operation.path == asked and one.of_cluster is (cluster is not None):
            return FoundRoute(one, cluster)
    return None


def _may_name_one(operation: ListedOperation) -> bool:
    return any(one.name == NAME and one.completes == "clusters" for one in operation.parameters)
