"""Who waits at a node's door, and who has to leave when too many do."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from clusterlib.runtime import wire
from clusterlib.runtime.log import Log
from clusterlib.runtime.neighbours import user_at_other_end
from clusterlib.runtime.network import Cancellable, NodeNetwork
from clusterlib.runtime.pipes import NO_READER, PipeReader
from clusterlib.runtime.sessions import MOST_STRANGERS, Reception, SecuredSession
from clusterlib.runtime.wire import Buffer, Role

COOKIE = b"0123456789abcdef"
ANOTHER_USER = 65534


class Timer:
    def cancel(self) -> None:
        pass


class Clock(NodeNetwork):
    """A network on which no time passes."""

    def __init__(self) -> None:
        pass

    def later(self, delay: float, callback: object, *arguments: object) -> Cancellable:
        return Timer()


class Caller:
    """A connection as the node sees it, and what its other end does."""

    full = False
    flushed = True

    def __init__(self, reception: Reception, user: str) -> None:
        self.owner: PipeReader = NO_READER
        self.other = user
        self.dropped = False
        self._told = b""
        reception.accept(self)

    def neighbour(self) -> str:
        return self.other

    def greet(self) -> None:
        self._greeting = wire.greeting(Role.CLIENT)
        self._say(self._greeting)

    def prove(self) -> None:
        self._say(wire.proof(COOKIE, self._greeting, self._told))

    def _say(self, message: bytes) -> None:
        self.owner.buffer()[: len(message)] = message
        self.owner.filled(len(message))

    def send(self, *parts: Buffer) -> None:
        self._told += b"".join(parts)

    def send_from_thread(self, parts: list[Buffer]) -> None: ...
    def start(self) -> None: ...
    def finish(self) -> None: ...
    def hold(self) -> None: ...
    def release(self) -> None: ...

    def close(self) -> None:
        self.owner, self.dropped = NO_READER, True

    abort = close


@pytest.fixture
def welcomed() -> list[SecuredSession]:
    return []


@pytest.fixture
def reception(welcomed: list[SecuredSession]) -> Reception:
    limits = {Role.PEER: 1000, Role.CLIENT: 1000}
    return Reception(Clock(), COOKIE, "node1", limits, Log(), lambda _, session: welcomed.append(session))


@pytest.mark.parametrize("greeted", [False, True])
def test_a_user_with_many_half_open_connections_takes_no_place_from_another(
    reception: Reception, welcomed: list[SecuredSession], greeted: bool
) -> None:
    honest = Caller(reception, "user 1")
    honest.greet()
    for _ in range(3 * MOST_STRANGERS):
        attacker = Caller(reception, "user 2")
        if greeted and not attacker.dropped:
            attacker.greet()
    late = Caller(reception, "user 1")
    assert not honest.dropped
    assert not late.dropped
    for caller in (honest, late):
        if caller is late:
            caller.greet()
        caller.prove()
    assert len(welcomed) == 2


def test_of_one_user_those_leave_first_who_have_said_least(
    reception: Reception, welcomed: list[SecuredSession]
) -> None:
    honest = Caller(reception, "user 1")
    honest.greet()
    silent = [Caller(reception, "user 1") for _ in range(MOST_STRANGERS + 10)]
    assert [one.dropped for one in silent[:12]] == [True] * 11 + [False]
    honest.prove()
    assert len(welcomed) == 1


def test_who_has_just_come_is_spared_where_all_others_have_greeted(reception: Reception) -> None:
    for _ in range(MOST_STRANGERS):
        Caller(reception, "user 1").greet()
    newcomer = Caller(reception, "user 1")
    Caller(reception, "user 1").greet()
    assert not newcomer.dropped


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    address = "127.0.0.1" if request.param == socket.AF_INET else "::1"
    with socket.create_server((address, 0), family=request.param) as server:
        yield server


@pytest.mark.skipif(not hasattr(socket, "AF_NETLINK"), reason="only Linux tells it")
def test_the_kernel_tells_which_user_connects(listener: socket.socket) -> None:
    with ExitStack() as stack:
        stack.enter_context(socket.create_connection(listener.getsockname()[:2]))
        accepted = stack.enter_context(listener.accept()[0])
        assert user_at_other_end(accepted) == os.getuid()


@pytest.mark.skipif(not hasattr(socket, "AF_NETLINK"), reason="only Linux tells it")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_kernel_tells_another_user_from_ours(listener: socket.socket) -> None:
    child = os.fork()
    if child == 0:
        os.setuid(ANOTHER_USER)
        with socket.create_connection(listener.getsockname()[:2]) as connection:
            connection.recv(1)
        os._exit(0)
    accepted, _ = listener.accept()
    with accepted:
        assert user_at_other_end(accepted) == ANOTHER_USER
    os.waitpid(child, 0)
