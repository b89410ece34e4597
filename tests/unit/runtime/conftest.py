"""Nodes in one process whose time is not real: it jumps to whatever is due next. So detection,
partitions and healing are tested against the clock, to the millisecond, on a machine as slow as it
likes."""

from __future__ import annotations

import asyncio
import selectors
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import Context, copy_context
from pathlib import Path
from typing import Any

import pytest

from clusterlib.runtime.config import Config, Sockets
from clusterlib.runtime.link import PeerAddress
from clusterlib.runtime.memory_pipes import MemoryPipe
from clusterlib.runtime.network import Dialed
from clusterlib.runtime.node import EmbeddedNode
from clusterlib.runtime.pipes import Pipe
from clusterlib.runtime.simulation import Doors, SimulatedNetwork


class _Impatient(selectors.DefaultSelector):
    """Never waits: where a loop would, time passes at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise AssertionError("nothing is due, and nothing ever will be")
        if not ready and timeout is not None:
            self.now += timeout
        return ready


class ImpatientLoop(asyncio.SelectorEventLoop):
    """An event loop in which an hour takes as long as its events."""

    def __init__(self) -> None:
        self._impatient = _Impatient()
        super().__init__(self._impatient)

    def time(self) -> float:
        return self._impatient.now


class Cable:
    """What connects the nodes, and can be cut."""

    def __init__(self) -> None:
        self.doors: Doors = {}
        self.side: Mapping[str, int] = {}
        """Who is on which side of the cut; nobody while there is none."""
        self.pairs: list[tuple[str, str, Pipe, Pipe]] = []
        self.lost_calls: list[Callable[[], None]] = []

    def carries(self, one: str, other: str) -> bool:
        return self.side.get(one) == self.side.get(other)

    def cut(self, *sides: Iterable[str]) -> None:
        """From now on nothing that one side sends reaches the other, as when packets are lost."""
        self.side = {name: number for number, side in enumerate(sides) for name in side}
        for pair in self.pairs:
            self._hold(pair)

    def mend(self) -> None:
        """What was lost is sent again, as TCP does."""
        self.side = {}
        for _, _, first, second in self.pairs:
            first.release()
            second.release()
        lost, self.lost_calls = self.lost_calls, []
        for call in lost:
            call()

    def forget(self, call: Callable[[], None]) -> None:
        if call in self.lost_calls:
            self.lost_calls.remove(call)

    def join(self, one: str, other: str, first: Pipe, second: Pipe) -> None:
        self.pairs.append((one, other, first, second))
        self._hold(self.pairs[-1])

    def _hold(self, pair: tuple[str, str, Pipe, Pipe]) -> None:
        one, other, first, second = pair
        if not self.carries(one, other):
            first.hold()
            second.hold()


class CutNetwork(SimulatedNetwork):
    """The network of one node at a cable."""

    def __init__(self, loop: asyncio.AbstractEventLoop, cable: Cable, name: str) -> None:
        super().__init__(loop, cable.doors)
        self._cable = cable
        self._name = name
        self._admitted: MemoryPipe | None = None

    def dial(self, address: str, port: int, dialed: Dialed) -> Callable[[], None]:
        there = self._cable.doors.get((address, port))
        if not isinstance(there, CutNetwork):
            return super().dial(address, port, dialed)

        def joined(ours: Pipe | None, error: OSError | None) -> None:
            if ours is not None and there._admitted is not None:
                self._cable.join(self._name, there._name, ours, there._admitted)
            dialed(ours, error)

        give_up = [lambda: None]

        def call() -> None:
            give_up[:] = [super(CutNetwork, self).dial(address, port, joined)]

        if self._cable.carries(self._name, there._name):
            call()
        else:
            self._cable.lost_calls.append(call)
            give_up[:] = [lambda: self._cable.forget(call)]
        return lambda: give_up[0]()  # noqa: PLW0108  what gives up changes when the cable is mended

    def admit(self, pipe: MemoryPipe) -> None:
        self._admitted = pipe
        super().admit(pipe)


class Nodes:
    """Nodes on one cable."""

    def __init__(self, folder: Path, count: int) -> None:
        self.loop = ImpatientLoop()
        self.cable = Cable()
        self.cookie = folder / "cookie"
        self.cookie.write_text("a secret that is long enough")
        self.cookie.chmod(0o400)
        self.nodes: dict[str, EmbeddedNode] = {}
        self._listeners = {
            f"node{number:02}": socket.create_server(("127.0.0.1", 0)) for number in range(1, count + 1)
        }
        self._keepers: list[socket.socket] = []
        self.peers = tuple(
            PeerAddress(name, "127.0.0.1", listener.getsockname()[1])
            for name, listener in self._listeners.items()
        )

    def __getitem__(self, name: str) -> EmbeddedNode:
        return self.nodes[name]

    @property
    def names(self) -> list[str]:
        return [peer.name for peer in self.peers]

    def start(self, *names: str) -> None:
        for name in names or self.names:
            Context().run(self._start, name)

    def _start(self, name: str) -> None:
        keeper, control = socket.socketpair()
        self._keepers.append(keeper)
        sockets = Sockets(control, self._listeners[name].dup(), socket.create_server(("127.0.0.1", 0)))
        config = Config(
            name=name,
            cluster="cable",
            index=self.names.index(name),
            address="127.0.0.1",
            host=name,
            ports={},
            cookie_file=str(self.cookie),
            directory="",
            peers=self.peers,
            simulated=True,
        )
        network = CutNetwork(self.loop, self.cable, name)
        self.nodes[name] = EmbeddedNode(config, {}, network, sockets, lambda code: None)
        self.nodes[name].start()
        network.context = copy_context()

    def kill(self, *names: str) -> None:
        for name in names:
            self.nodes.pop(name).stop()

    def wait_until(self, done: Callable[[], bool], within: float) -> float:
        """Lets time pass until it is so; gives back how much."""
        begun = self.loop.time()
        while not done():
            assert self.loop.time() - begun <= within, {name: len(self.view(name)) for name in self.nodes}
            self.pass_time(0.001)
        return self.loop.time() - begun

    def pass_time(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def wait_for_views(self, *groups: Iterable[str], within: float) -> float:
        """Waits until everybody in each group sees exactly that group."""
        wanted = {name: tuple(sorted(group)) for group in map(list, groups) for name in group}
        return self.wait_until(lambda: all(self.view(name) == view for name, view in wanted.items()), within)

    def view(self, name: str) -> tuple[str, ...]:
        return self.nodes[name].membership.alive()

    def close(self) -> None:
        for node in self.nodes.values():
            node.stop()
        for opened in (*self._keepers, *self._listeners.values()):
            opened.close()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Callable[[int], Nodes]]:
    opened: list[Nodes] = []

    def make(count: int) -> Nodes:
        opened.append(Nodes(tmp_path, count))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
