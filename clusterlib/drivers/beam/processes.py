"""The processes of an Erlang node, as its client sees them. What is asked is decided and chosen on
the node, by three modules that are loaded when they are first needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from clusterlib.drivers.beam.etf import encode
from clusterlib.drivers.beam.notation import read_term
from clusterlib.drivers.beam.refusals import NONE, Wanted, gone, refusal
from clusterlib.drivers.beam.terms import Atom, text
from clusterlib.drivers.calls import Place
from clusterlib.drivers.processes import ProcessCalls, Spawning
from clusterlib.errors import ErlangError, NotSupported, ProcessGone, TermError, UsageError
from clusterlib.messages.processes import (
    MemberView,
    NameView,
    ProcessDetail,
    ProcessesOfNode,
    ProcessOrder,
    ProcessRow,
    ProcessState,
)

__all__ = ["MODULES", "BeamProcesses"]

LOOKING: Final = "clusterlib_processes"
SUPERVISION: Final = "clusterlib_supervision"
REGISTRIES: Final = "clusterlib_registries"
MODULES: Final = (LOOKING, SUPERVISION, REGISTRIES)
"""The modules, which call each other."""

OWN_SHARE: Final = 0.8
"""The node gets less time than the caller, so that its answer can still arrive."""
ID: Final = re.compile(r"(?P<node>.+)\.0\.(?P<numbers>\d+\.\d+)", re.DOTALL)
OF_THE_CLUSTER: Final = ("global", "Horde")
"""Registries in which a name belongs to one process of all nodes."""
STATES: Final = {
    "waiting": ProcessState.WAITING,
    "suspended": ProcessState.SUSPENDED,
    "exiting": ProcessState.ENDING,
}

Call = Callable[[str, str, Sequence[Any], float], Any]
"""Module, function, arguments, seconds."""


class BeamProcesses(ProcessCalls):
    def __init__(self, place: Place, call: Call) -> None:
        super().__init__(place)
        self._node_call = call

    def where(self, target: str, timeout: float) -> tuple[str, str]:
        found = ID.fullmatch(target)
        if found is not None and found["node"] != self.place.name:
            return target, found["node"]
        answer = self._call(LOOKING, "where", [self._target(target)], timeout, target)
        if answer == NONE:
            raise gone(self._wanted(target, timeout))
        process, node = answer
        return text(process), text(node)

    def busiest(
        self, order: ProcessOrder, limit: int, matching: str | None, timeout: float
    ) -> ProcessesOfNode:
        part = NONE if matching is None else matching
        count, rows = self._call(LOOKING, "busiest", [order.value, limit, part], timeout)
        return ProcessesOfNode(self.place.name, count, tuple(self._row(row) for row in rows))

    def detail(self, target: str, timeout: float) -> ProcessDetail:
        arguments = [self._target(target), _milliseconds(timeout)]
        answer = self._call(LOOKING, "detail", arguments, timeout, target)
        facts = {str(key): value for key, value in answer.items()}
        return ProcessDetail(
            self._row(facts["row"]),
            waiting=_texts(facts["waiting"]),
            links=_texts(facts["links"]),
            monitors=_texts(facts["monitors"]),
            monitored_by=_texts(facts["monitored_by"]),
            ancestors=_texts(facts["ancestors"]),
            stack=_texts(facts["stack"]),
            values=tuple((text(name), text(value)) for name, value in facts["values"]),
        )

    def trees(self, timeout: float) -> Sequence[MemberView]:
        return [_member(one) for one in self._call(SUPERVISION, "trees", [_milliseconds(timeout)], timeout)]

    def names(self, timeout: float) -> Mapping[str, str]:
        return {
            view.name: view.process
            for view in self.registered(timeout)
            if view.registry.split()[0] in OF_THE_CLUSTER
        }

    def registered(self, timeout: float) -> Sequence[NameView]:
        found = self._call(REGISTRIES, "names", [_milliseconds(timeout) // 4], timeout)
        views = (NameView(text(name), text(process), text(registry)) for registry, name, process in found)
        return sorted(views, key=lambda view: (view.registry, view.name, view.process))

    def spawn(self, wanted: Spawning, timeout: float) -> str:
        if wanted.under is None:
            return text(self._spawned(wanted, timeout))
        return text(self._started_under(wanted.under, wanted, timeout))

    def kill(self, target: str, reason: str, timeout: float) -> None:
        self._act(LOOKING, "kill", target, [reason], timeout)

    def terminate(self, target: str, timeout: float) -> None:
        self._act(SUPERVISION, "terminate", target, [], timeout)

    def restart(self, target: str, timeout: float) -> str:
        return text(self._act(SUPERVISION, "restart", target, [], timeout))

    def send(self, target: str, message: Any, timeout: float) -> None:
        """A text is a term in the notation of the node: Elixir's where Elixir runs, else Erlang's.
        Other values are sent as in a call."""
        written, encoded, problem = _read(message)
        try:
            self._call(LOOKING, "send", [self._target(target), written, encoded], timeout, target)
        except TermError as error:
            raise (problem or error) from None

    def suspend(self, target: str, timeout: float) -> None:
        self._act(LOOKING, "suspend", target, [], timeout)

    def resume(self, target: str, timeout: float) -> None:
        self._act(LOOKING, "resume", target, [], timeout)

    def collect_garbage(self, target: str, timeout: float) -> None:
        self._act(LOOKING, "collect_garbage", target, [], timeout)

    # -- internals

    def _spawned(self, wanted: Spawning, timeout: float) -> Any:
        if wanted.restart != "never":
            raise NotSupported(
                f"{self.place.name} cannot restart a process that has no supervisor",
                cause="Erlang leaves restarts to the supervisors of applications",
                remedies=["name a supervisor for it to be started under"],
            )
        wish: Any = NONE
        if wanted.node is not None or wanted.prefer is not None:
            wish = (Atom("node"), wanted.node) if wanted.node is not None else (Atom("prefer"), wanted.prefer)
        name = NONE if wanted.name is None else wanted.name
        arguments = [*_function(wanted), name, wish, _milliseconds(timeout)]
        return self._call(LOOKING, "start", arguments, timeout, wanted.function)

    def _started_under(self, supervisor: str, wanted: Spawning, timeout: float) -> Any:
        if wanted.node not in {None, self.place.name}:
            raise NotSupported(
                f"{supervisor} of {self.place.name} starts its children where it decides, not on {wanted.node}",
                remedies=["say which node is preferred: supervisors that spread over nodes are given it"],
            )
        if wanted.name is not None:
            raise NotSupported(
                f"a child of {supervisor} gets no name from outside",
                cause="in Erlang, the function that starts a child registers its name",
            )
        prefer = NONE if wanted.prefer is None else wanted.prefer
        arguments = [self._target(supervisor), *_function(wanted), wanted.restart, prefer]
        return self._call(
            SUPERVISION, "start_child", [*arguments, _milliseconds(timeout)], timeout, supervisor
        )

    def _act(self, module: str, function: str, target: str, more: Sequence[Any], timeout: float) -> Any:
        arguments = [self._target(target), *more, _milliseconds(timeout)]
        return self._call(module, function, arguments, timeout, target)

    def _call(
        self, module: str, function: str, arguments: Sequence[Any], timeout: float, target: str = ""
    ) -> Any:
        try:
            return self._node_call(module, function, arguments, timeout)
        except ErlangError as error:
            problem = refusal(error.reason, self._wanted(target, timeout))
            if problem is None:
                raise
        raise problem

    def _wanted(self, target: str, timeout: float) -> Wanted:
        return Wanted(self.place.name, target, ID.fullmatch(target) is not None, timeout)

    def _target(self, target: str) -> Any:
        """A name, or the pid that an id means on this node."""
        found = ID.fullmatch(target)
        if found is None:
            return target
        if found["node"] != self.place.name:
            raise ProcessGone(f"{target} is not on {self.place.name}, but on {found['node']}")
        return Atom("id"), f"<0.{found['numbers']}>"

    def _row(self, row: Any) -> ProcessRow:
        process, function, status, name, messages, work, memory, supervisor = row
        return ProcessRow(
            text(process),
            self.place.name,
            text(function),
            STATES.get(text(status), ProcessState.RUNNING),
            _optional(name),
            messages,
            work,
            memory,
            supervisor=_optional(supervisor),
        )


def _milliseconds(timeout: float) -> int:
    return max(1, int(timeout * 1000 * OWN_SHARE))


def _optional(value: Any) -> str | None:
    return None if value == NONE else text(value)


def _texts(values: Sequence[Any]) -> tuple[str, ...]:
    return tuple(map(text, values))


def _member(member: Any) -> MemberView:
    process, name, function, node, restart, strategy, restarts, note, children = member
    return MemberView(
        _optional(process),
        _optional(name),
        text(function),
        text(node),
        text(restart),
        text(strategy),
        restarts,
        children=tuple(map(_member, children)),
        note=text(note),
    )


def _function(wanted: Spawning) -> list[Any]:
    """Module, function, and the arguments as data, whose atoms the node must know."""
    module, colon, function = wanted.function.rpartition(":")
    if not colon or not module or not function:
        raise UsageError(
            f"{wanted.function!r} is no function of an Erlang node",
            remedies=['write module and function: "shop:cart", "Shop.Cart:start_link"'],
        )
    return [module, function, encode(list(wanted.args))]


def _read(message: Any) -> tuple[Any, Any, TermError | None]:
    """As the text that it is, if it is one; as data; and why it is not."""
    if not isinstance(message, str):
        return NONE, encode(message), None
    try:
        return message, encode(read_term(message)), None
    except TermError as error:
        return message, NONE, error
