"""The processes of an Erlang node, as its client sees them. What is asked is decided and chosen on
the node, by modules of ours that are loaded when they are first needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from clusterlib.drivers.beam.errors import ErlangError, TermError
from clusterlib.drivers.beam.etf import encode
from clusterlib.drivers.beam.notation import read_term
from clusterlib.drivers.beam.refusals import NONE, ProcessRequest, gone, refusal
from clusterlib.drivers.beam.terms import Atom, text
from clusterlib.drivers.place import Place
from clusterlib.drivers.processes import ProcessCalls, Spawning
from clusterlib.errors import NotSupported, ProcessGone, UsageError
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
ACTING: Final = "clusterlib_acting"
SUPERVISION: Final = "clusterlib_supervision"
REGISTRIES: Final = "clusterlib_registries"
MODULES: Final = (LOOKING, ACTING, SUPERVISION, REGISTRIES)
"""The modules, which call each other."""

KILLED: Final = "killed"
"""The reason that other processes get in Erlang when one was ended with `kill`."""
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
    names_are_local = True

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
        how = Atom("kill") if reason == KILLED else reason
        self._act(ACTING, "kill", target, [how], timeout)

    def terminate(self, target: str, timeout: float) -> None:
        self._act(SUPERVISION, "terminate", target, [], timeout)

    def restart(self, target: str, timeout: float) -> str:
        return text(self._act(SUPERVISION, "restart", target, [], timeout))

    def send(self, target: str, message: Any, timeout: float) -> None:
        """A text is a term in the notation of the node: Elixir's where Elixir runs, else Erlang's.
        Other values are sent as in a call."""
        value, mistakes = _values([message])
        self._call(ACTING, "send", [self._target(target), *value], timeout, target, mistakes)

    def suspend(self, target: str, timeout: float) -> None:
        self._act(ACTING, "suspend", target, [], timeout)

    def resume(self, target: str, timeout: float) -> None:
        self._act(ACTING, "resume", target, [], timeout)

    def collect_garbage(self, target: str, timeout: float) -> None:
        self._act(ACTING, "collect_garbage", target, [], timeout)

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
        function, mistakes = _function(wanted)
        arguments = [*function, name, wish, _milliseconds(timeout)]
        return self._call(ACTING, "start", arguments, timeout, wanted.function, mistakes)

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
        function, mistakes = _function(wanted)
        arguments = [self._target(supervisor), *function, wanted.restart, prefer, _milliseconds(timeout)]
        return self._call(SUPERVISION, "start_child", arguments, timeout, supervisor, mistakes)

    def _act(self, module: str, function: str, target: str, more: Sequence[Any], timeout: float) -> Any:
        arguments = [self._target(target), *more, _milliseconds(timeout)]
        return self._call(module, function, arguments, timeout, target)

    def _call(
        self,
        module: str,
        function: str,
        arguments: Sequence[Any],
        timeout: float,
        target: str = "",
        mistakes: Sequence[TermError] = (),
    ) -> Any:
        """`mistakes`: why texts among the arguments are no terms of Erlang, for a node that reads
        them as such."""
        try:
            return self._node_call(module, function, arguments, timeout)
        except ErlangError as error:
            problem = refusal(error.reason, self._wanted(target, timeout))
            if isinstance(problem, TermError) and mistakes:
                problem = mistakes[0]
            if problem is None:
                raise
        raise problem

    def _wanted(self, target: str, timeout: float) -> ProcessRequest:
        return ProcessRequest(self.place.name, target, ID.fullmatch(target) is not None, timeout)

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


def _function(wanted: Spawning) -> tuple[list[Any], Sequence[TermError]]:
    """Module, function and arguments."""
    module, colon, function = wanted.function.rpartition(":")
    if not colon or not module or not function:
        raise UsageError(
            f"{wanted.function!r} is no function of an Erlang node",
            remedies=['write module and function: "shop:cart", "Shop.Cart:start_link"'],
        )
    values, mistakes = _values(wanted.args)
    return [module, function, values], mistakes


def _values(given: Sequence[Any]) -> tuple[list[Any], Sequence[TermError]]:
    """Each as its text, if it is one, and as encoded data, whose atoms the node must know."""
    values: list[Any] = []
    mistakes: list[TermError] = []
    for value in given:
        if not isinstance(value, str):
            values.append((NONE, encode(value)))
            continue
        try:
            values.append((value, encode(read_term(value))))
        except TermError as error:
            mistakes.append(error)
            values.append((value, NONE))
    return values, mistakes
