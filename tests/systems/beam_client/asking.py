"""What the tests of the client ask of real Erlang nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clusterlib.drivers.beam.connection import Connection
from clusterlib.errors import EpmdUnavailable, ErlangError, TermError

__all__ = ["NEST", "THREADS", "make_fun", "outcome"]

THREADS = 50
NEST = "fun(_, Inner) -> {Inner} end."


def make_fun(node: Connection, source: str) -> Any:
    """A fun made on the node."""
    tokens = node.call("erl_scan", "string", [[*map(ord, source)]])[1]
    expressions = node.call("erl_parse", "parse_exprs", [tokens])[1]
    return node.call("erl_eval", "exprs", [expressions, []])[1]


def outcome(do: Callable[[], Any]) -> Any:
    try:
        return (do(),)
    except (ErlangError, TermError, EpmdUnavailable):
        return None
