"""What our modules refuse to do with a process, as errors. They throw
`{clusterlib_processes, Kind, What}`, with facts only: the words are here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from clusterlib.drivers.beam.errors import ErlangError, TermError
from clusterlib.drivers.beam.terms import Atom, text
from clusterlib.errors import (
    CallTimeout,
    ClusterError,
    NodeUnavailable,
    NotSupported,
    ProcessGone,
    ProcessNameTaken,
    UsageError,
)
from clusterlib.frozen import frozen
from clusterlib.remedies import do

__all__ = ["NONE", "ProcessRequest", "gone", "refusal"]

NONE: Final = Atom("none")


@frozen
class ProcessRequest:
    """What was wanted of which node."""

    node: str
    target: str
    is_id: bool
    seconds: float


def refusal(thrown: object, wanted: ProcessRequest) -> ClusterError | None:
    """None if this was thrown by something else."""
    match thrown:
        case (Atom("clusterlib_processes"), Atom(kind), what) if kind in KINDS:
            return KINDS[kind](wanted, what)
    return None


def gone(wanted: ProcessRequest, _: Any = None) -> ProcessGone:
    if wanted.is_id:
        return ProcessGone(f"there is no process {wanted.target}")
    return ProcessGone(f"no process has the name {wanted.target!r}")


def _elsewhere(wanted: ProcessRequest, what: Any) -> ProcessGone:
    process, home = map(text, what)
    return ProcessGone(
        f"{wanted.target} is not on {wanted.node}, but on {home}", cause=f"its id is {process}"
    )


def _late(wanted: ProcessRequest, _: Any) -> CallTimeout:
    return CallTimeout(
        f"{wanted.node} has not done it within {wanted.seconds:g} s",
        cause=f"{wanted.target}, or its supervisor, does not react",
    )


def _taken(wanted: ProcessRequest, owner: Any) -> ProcessNameTaken:
    holder = "another process" if owner == NONE else f"the process {text(owner[0])}"
    return ProcessNameTaken(f"the name for {wanted.target} belongs to {holder}")


def _unreachable(wanted: ProcessRequest, node: Any) -> NodeUnavailable:
    return NodeUnavailable(
        f"{wanted.node} has no connection to {text(node)}", remedies=[do("cluster.status")]
    )


def _unknown_atom(wanted: ProcessRequest, _: Any) -> UsageError:
    return UsageError(
        f"{wanted.node} does not know an atom in this",
        cause="a node never forgets an atom, so clusterlib creates none",
        remedies=[
            "check its spelling: code that understands a message has its atoms",
            'if a text is meant, write "tea" in Elixir and <<"tea">> in Erlang',
        ],
    )


def _unreadable(*_: Any) -> TermError:
    return TermError("this is no term of Erlang")


def _unwritable(_: ProcessRequest, why: Any) -> UsageError:
    return UsageError(
        f"this is no term of Elixir: {text(why)}", remedies=['a text is written in quotation marks: "tea"']
    )


def _no_function(wanted: ProcessRequest, arity: Any) -> UsageError:
    return UsageError(f"{wanted.node} has no function {wanted.target} with {arity} arguments")


def _unsupervised(wanted: ProcessRequest, _: Any) -> UsageError:
    return UsageError(f"{wanted.target} is not the child of a supervisor on {wanted.node}")


def _no_supervisor(wanted: ProcessRequest, _: Any) -> UsageError:
    return UsageError(f"{wanted.target} is not a supervisor")


def _forgotten(wanted: ProcessRequest, supervisor: Any) -> NotSupported:
    return NotSupported(
        f"{wanted.target} cannot be restarted",
        cause=f"its supervisor {text(supervisor)} forgets a child when it ends it",
        remedies=["kill it: if it is permanent, its supervisor starts it again"],
    )


def _needed(wanted: ProcessRequest, _: Any) -> UsageError:
    return UsageError(
        f"{wanted.target} cannot be suspended",
        cause=f"without it, {wanted.node} could not be asked to resume it",
    )


def _refused(wanted: ProcessRequest, why: Any) -> ErlangError:
    return ErlangError(f"a supervisor of {wanted.node} refuses: {text(why)}")


KINDS: Final[dict[str, Callable[[ProcessRequest, Any], ClusterError]]] = {
    "gone": gone,
    "elsewhere": _elsewhere,
    "late": _late,
    "taken": _taken,
    "unreachable": _unreachable,
    "unknown_atom": _unknown_atom,
    "unreadable": _unreadable,
    "unwritable": _unwritable,
    "no_function": _no_function,
    "unsupervised": _unsupervised,
    "no_supervisor": _no_supervisor,
    "forgotten": _forgotten,
    "needed": _needed,
    "refused": _refused,
}
