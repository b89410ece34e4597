"""Two Erlang or Elixir nodes with an application of processes, and their client."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from clusterlib.drivers.beam.connection import Connection
from clusterlib.drivers.beam.mix import elixir_libraries
from clusterlib.drivers.beam.processes import MODULES, BeamProcesses
from clusterlib.drivers.beam.starting import SMALL
from clusterlib.drivers.beam.terms import Atom, Pid
from clusterlib.drivers.place import Place
from clusterlib.hosts.programs import folders_of
from clusterlib.messages.plan import CodeSources
from clusterlib.messages.processes import MemberView
from clusterlib.waiting import Deadline, poll
from tests.systems.beam_nodes import COOKIE, PATIENCE, Nodes

SECONDS = 20.0
SHORT = 0.6
NAMES_OF_CLIENTS = 3
"""Atoms: a node names each of the clients that are connected at the same time, and uses these names
again."""
ELIXIR_ONLY = pytest.mark.parametrize("shared", ["elixir"], indirect=True)


class World:
    """Two nodes that see each other, with the same application."""

    def __init__(self, nodes: Nodes, ebin: Path, kind: str) -> None:
        self.nodes = nodes
        self.kind = kind
        self.elixir = kind == "elixir"
        self._ebin = ebin
        self._connections: dict[str, Connection] = {}
        for name in ("node1", "node2"):
            self.start(name)

    def start(self, name: str) -> None:
        libraries = folders_of([elixir_libraries(Path(shutil.which("elixir") or ""))]) if self.elixir else []
        self.nodes.start(
            name, paths=[str(self._ebin), *map(str, libraries)], flags=(*SMALL, "+pc", "unicode")
        )
        with contextlib.suppress(KeyError):
            self._connections.pop(name).close()
        for application in (*(["elixir"] if self.elixir else []), "shop"):
            assert self.call(name, "application", "ensure_all_started", Atom(application))[0] == Atom("ok")
        for other in self.nodes.processes:
            if other != name:
                assert self.call(name, "net_kernel", "connect_node", Atom(f"{other}@127.0.0.1")) is True
        self.call(name, "global", "sync")

    def connection(self, name: str) -> Connection:
        known = self._connections.get(name)
        if known is None or known.lost is not None:
            known = self._connections[name] = self.nodes.connect(name)
        return known

    def call(self, name: str, module: str, function: str, *args: Any) -> Any:
        return self.connection(name).call(module, function, args, timeout=PATIENCE)

    def on(self, name: str) -> BeamProcesses:
        def call(module: str, function: str, args: Sequence[Any], timeout: float) -> Any:
            connection = self.connection(name)
            connection.bring(MODULES, timeout=PATIENCE)
            return connection.call(module, function, args, timeout=timeout)

        return BeamProcesses(place(name), call)

    def spawn(self, name: str, function: str, *args: Any) -> str:
        """A process of the application that is no child of a supervisor."""
        return self.id_of(name, self.call(name, "shop", function, *args))

    @staticmethod
    def id_of(name: str, pid: Pid) -> str:
        return f"{name}.0.{pid.id}.{pid.serial}"

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()


def place(name: str) -> Place:
    def unused(*_: object) -> Any:
        raise AssertionError("the keeper is not asked")

    return Place(name, "test", "beam", Path(COOKIE), CodeSources(), status=unused, look=unused)


def until(condition: Callable[[], Any]) -> None:
    assert poll(condition, Deadline(PATIENCE))


def find(trees: Sequence[MemberView], name: str) -> MemberView:
    for tree in trees:
        if tree.name == name:
            return tree
        with contextlib.suppress(LookupError):
            return find(tree.children, name)
    raise LookupError(name)


def digits_of(process: str) -> list[int]:
    return [*map(ord, f"<0.{process.split('.', 2)[2]}>")]


def pid_of(world: World, name: str, process: str) -> Pid:
    found = world.call(name, "erlang", "list_to_pid", digits_of(process))
    assert isinstance(found, Pid)
    return found
