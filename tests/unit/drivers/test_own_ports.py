"""Driver `command`: what an answer is worth, by who listens on the ports of the node."""

from __future__ import annotations

import asyncio

from clusterlib.drivers.api import NodeSpec
from clusterlib.drivers.command.own_ports import OwnPorts
from clusterlib.health.probes import Answer, NotYet, Ready
from clusterlib.hosts.api import Exit
from clusterlib.hosts.listeners import Listener, Owner
from clusterlib.messages.measurements import Sample

STRANGER = Listener(Owner.STRANGER, "pid 7: other")


class Looked:
    """A process of which each look sees another listener."""

    name, pid, output = "n1", 7, -1
    exit: asyncio.Future[Exit]

    def __init__(self, *seen: Listener) -> None:
        self._seen = list(seen)

    def listener(self, address: str, port: int) -> Listener:
        del address, port
        return self._seen.pop(0)

    def usage(self) -> Sample | None:
        return None

    def end_in_order(self) -> None: ...

    def signal(self, number: int) -> None:
        del number


def confirmed(*seen: Listener, asked: tuple[int, ...] = ()) -> Answer:
    ports = OwnPorts(
        NodeSpec("n1", "node", 1, "127.0.0.1", "localhost", {"client": 4000}, "/", 0), owned=True
    )
    ports.begin(Looked(*seen))
    return asyncio.run(ports.confirm(Ready(), asked))


def test_a_listener_that_is_missed_once_is_no_failure_of_a_node_that_runs() -> None:
    assert isinstance(confirmed(STRANGER, Listener(Owner.NODE)), Ready)


def test_a_stranger_that_is_seen_twice_is_a_failure() -> None:
    answer = confirmed(STRANGER, STRANGER)

    assert isinstance(answer, NotYet)
    assert answer.why == "a process that is not of n1 listens on 127.0.0.1:4000 (pid 7: other)"


def test_an_answer_from_a_port_on_which_nobody_listens_any_more_was_not_the_nodes() -> None:
    answer = confirmed(Listener(Owner.NONE), Listener(Owner.NONE), asked=(4000,))

    assert answer == NotYet("nothing listens on 127.0.0.1:4000 any more")


def test_a_port_that_was_not_asked_need_not_be_listened_on() -> None:
    assert isinstance(confirmed(Listener(Owner.NONE), asked=(4001,)), Ready)
