"""Errors of Erlang nodes. `clusterlib.errors` has them under the same names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clusterlib.errors import ClusterError, NodeUnavailable, RemoteError

__all__ = [
    "CookieMismatch",
    "EpmdUnavailable",
    "ErlangError",
    "NameTaken",
    "NoDistribution",
    "TermError",
]


class NoDistribution(NodeUnavailable):
    code = "no-distribution"
    explains_a_node = True


class EpmdUnavailable(NodeUnavailable):
    code = "no-epmd"
    explains_a_node = True


class CookieMismatch(NodeUnavailable):
    code = "cookie-mismatch"
    explains_a_node = True


class NameTaken(NodeUnavailable):
    code = "name-taken"
    explains_a_node = True


class TermError(ClusterError):
    code = "term"
    exit_code = 2


class ErlangError(RemoteError):
    """An exception of an Erlang process.

    After it was sent over a socket or pickled, only the text is left."""

    code = "erlang-error"

    def __init__(
        self,
        problem: str,
        *,
        kind: str = "error",
        reason: Any = None,
        stack: tuple[Any, ...] = (),
        cause: str | None = None,
        evidence: Iterable[str] = (),
        remedies: Iterable[str] = (),
    ) -> None:
        super().__init__(problem, cause=cause, evidence=evidence, remedies=remedies)
        self.kind = kind
        """The class of the exception: error, exit or throw."""
        self.reason = reason
        """The term it was raised with, such as Atom("badarith")."""
        self.stack = stack
        """The frames, innermost first: (module, function, arity or arguments, location)."""
