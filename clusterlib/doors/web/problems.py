"""Errors as problem details (RFC 9457): what the shell prints, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clusterlib.doors.program.wording import ProgramWording
from clusterlib.doors.web.routes import NAME, PROBLEMS, OperationRoute, routes_of
from clusterlib.errors import (
    AccessRefused,
    AlreadyServed,
    CallTimeout,
    ClusterBusy,
    ClusterConflict,
    ClusterError,
    ClusterNotRunning,
    KeeperLost,
    NodeUnavailable,
    NodeUnknown,
    NotInTime,
    NotSupported,
    ProfileError,
    RequestRefused,
    TemplateError,
    TermError,
    UsageError,
)
from clusterlib.operations.listing import ListedOperation
from clusterlib.remedies import DEFAULT_CLUSTER, OperationCall, Remedy

__all__ = ["Problem", "problem_of", "status_of"]

FAILED = 500
STATUS: Sequence[tuple[type[ClusterError], int]] = (
    (AccessRefused, 403),
    (RequestRefused, 400),
    (ClusterNotRunning, 404),
    (NodeUnknown, 404),
    (AlreadyServed, 409),
    (ClusterConflict, 409),
    (ClusterBusy, 409),
    (UsageError, 422),
    (ProfileError, 422),
    (TemplateError, 422),
    (TermError, 422),
    (NotSupported, 422),
    (KeeperLost, 503),
    (NodeUnavailable, 503),
    (CallTimeout, 504),
    (NotInTime, 504),
)
"""The first one that fits. All other errors are failures of what was asked for: 500."""


class Problem(Exception):
    """An error with a status and headers of its own."""

    def __init__(self, error: ClusterError, status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error.problem)
        self.error = error
        self.status = status
        self.headers = dict(headers or {})


def status_of(error: ClusterError) -> int:
    return next((status for kind, status in STATUS if isinstance(error, kind)), FAILED)


def problem_of(
    error: ClusterError, status: int, base: str, operations: Sequence[ListedOperation]
) -> dict[str, Any]:
    """The document. `base` is the address of this server."""
    return {
        "type": f"{base}{PROBLEMS}{error.code}",
        "title": error.code.replace("-", " ").capitalize(),
        "status": status,
        "detail": error.problem,
        "code": error.code,
        "cause": error.cause,
        "evidence": list(error.evidence),
        "remedies": [_remedy(one, operations) for one in error.remedies],
    }


def _remedy(remedy: Remedy, operations: Sequence[ListedOperation]) -> dict[str, Any]:
    calls = [part for part in remedy.parts if isinstance(part, OperationCall)]
    requests = [request for call in calls if (request := _request(call, operations)) is not None]
    return {"text": WORDING(remedy), "parts": remedy.to_json(), "requests": requests}


WORDING = ProgramWording()


def _request(call: OperationCall, operations: Sequence[ListedOperation]) -> dict[str, Any] | None:
    """How a client of this server does it. None for what only a shell has, such as `--help`."""
    routes = [one for one in routes_of(operations) if one.operation.full_name == call.operation]
    if not routes:
        return None
    route = routes[0]
    bare = [one.name for one in route.operation.parameters if one.word]
    given: dict[str, Any] = {**dict(zip(bare, call.words, strict=False)), **call.options}
    if call.rest:
        given[route.operation.words] = list(call.rest)
    if "all" in given and len(routes) > 1:  # every cluster
        route = routes[1]
    cluster = given.pop(NAME, DEFAULT_CLUSTER) if route.of_cluster else ""
    if not given.keys() <= {one.name for one in route.parameters} or len(call.words) > len(bare):
        return None
    return {
        "method": route.method,
        "path": route.path.format(cluster=cluster),
        "arguments": {name: _typed(value, name, route) for name, value in given.items()},
    }


def _typed(value: object, name: str, route: OperationRoute) -> object:
    """A remedy has texts; a document has numbers."""
    kind = next(one.schema.get("type") for one in route.parameters if one.name == name)
    if isinstance(value, str) and kind in {"integer", "number"}:
        return int(value) if kind == "integer" else float(value)
    return value
