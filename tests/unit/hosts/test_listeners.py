"""Whose a listening port is."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from clusterlib.hosts import proc
from clusterlib.hosts.listeners import Listener, Owner, listener_of
from clusterlib.waiting import Deadline, poll

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the owner is not known")

ME = os.getpid()
LISTENS = """
import socket, sys
server = socket.create_server((sys.argv[1], int(sys.argv[2])), reuse_port=sys.argv[3] == "shared")
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


GOES_ON_WITHOUT_MAIN_THREAD = """
import ctypes, socket, sys, threading
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
threading.Thread(target=sys.stdin.read).start()
print(server.getsockname()[1], flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


class Other:
    """Another process that listens."""

    def __init__(self, address: str, port: int = 0, *, shared: bool = False, program: str = LISTENS) -> None:
        words = [sys.executable, "-c", program, address, str(port), "shared" if shared else "alone"]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def end(self) -> None:
        self.process.communicate()


@pytest.fixture
def headless() -> Iterator[Other]:
    """Its main thread has ended, another one goes on."""
    one = Other("127.0.0.1", program=GOES_ON_WITHOUT_MAIN_THREAD)

    def shown_as_zombie() -> bool:
        seen = proc.status(one.process.pid)
        return seen is not None and seen.state == "Z"

    assert poll(shown_as_zombie, Deadline(10))
    yield one
    one.end()


@pytest.fixture
def other() -> Iterator[Other]:
    one = Other("127.0.0.1")
    yield one
    one.end()


def test_a_port_on_which_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert listener_of("127.0.0.1", bound.getsockname()[1], [ME]) == Listener(Owner.NONE)


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_port_of_the_node_itself(address: str) -> None:
    with socket.create_server((address, 0)) as server:
        assert listener_of("127.0.0.1", server.getsockname()[1], [ME]) == Listener(Owner.NODE)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
@pytest.mark.parametrize("address", ["::", "::ffff:127.0.0.1"])
def test_a_server_that_speaks_both_protocols_listens_on_the_address_of_ipv4(address: str) -> None:
    with socket.socket(socket.AF_INET6) as server:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.bind((address, 0))
        server.listen()
        assert listener_of("127.0.0.1", server.getsockname()[1], [ME]) == Listener(Owner.NODE)


def test_a_stranger_is_named(other: Other) -> None:
    found = listener_of("127.0.0.1", other.port, [ME])

    assert found.owner is Owner.STRANGER
    assert f"pid {other.process.pid}: {sys.executable}" in found.who


def test_one_of_several_processes_of_the_node_is_enough(other: Other) -> None:
    assert listener_of("127.0.0.1", other.port, [ME, other.process.pid]) == Listener(Owner.NODE)


def test_a_node_whose_main_thread_has_ended_listens_through_its_other_threads(headless: Other) -> None:
    assert listener_of("127.0.0.1", headless.port, [headless.process.pid]) == Listener(Owner.NODE)


def test_a_user_sees_the_sockets_of_an_own_process_whose_main_thread_has_ended() -> None:
    """The kernel gives the files of such a main thread to root."""
    if os.geteuid() != 0:
        pytest.skip("takes root, who becomes somebody else")
    program = f"""
import ctypes, os, socket, threading
nobody, libc = {pwd.getpwnam("nobody").pw_uid}, ctypes.CDLL(None)
os.setgroups([]); os.setgid(nobody); os.setuid(nobody)
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
child = os.fork()
if child == 0:
    libc.prctl(4, 1)  # PR_SET_DUMPABLE: like any program that this user has started
    threading.Thread(target=threading.Event().wait).start()
    libc.pthread_exit(None)
server.close()
while proc.status(child).state != "Z": pass
print(listeners.listener_of("127.0.0.1", port, [child]).owner.name)
os.kill(child, 9)
os.wait()
"""
    assert printed(program) == "NODE"


def test_a_stranger_whose_main_thread_has_ended_is_named(headless: Other) -> None:
    found = listener_of("127.0.0.1", headless.port, [ME])

    assert found.owner is Owner.STRANGER
    assert f"pid {headless.process.pid}: {sys.executable}" in found.who


def test_a_stranger_that_shares_the_port_with_the_node_takes_some_of_its_connections() -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as server:
        port = server.getsockname()[1]
        guest = Other("127.0.0.1", port, shared=True)
        assert listener_of("127.0.0.1", port, [ME]).owner is Owner.STRANGER
        guest.end()
        assert listener_of("127.0.0.1", port, [ME]).owner is Owner.NODE


def test_a_stranger_on_another_address_takes_none(other: Other) -> None:
    with socket.create_server(("127.0.0.2", other.port)):
        assert listener_of("127.0.0.2", other.port, [ME]).owner is Owner.NODE


def test_the_owner_is_not_known_where_the_files_of_a_process_may_not_be_read(other: Other) -> None:
    if os.geteuid() != 0:
        pytest.skip("takes root, who becomes somebody else")
    program = f"""
import os
os.setgroups([]); os.setgid({pwd.getpwnam("nobody").pw_gid}); os.setuid({pwd.getpwnam("nobody").pw_uid})
print(listeners.listener_of("127.0.0.1", {other.port}, [{other.process.pid}]).owner.name)
"""
    assert printed(program) == "UNKNOWN"


def printed(program: str) -> str:
    """What this program prints. It imports `listeners` and `proc` before it changes its user."""
    path = os.pathsep.join(sys.path)
    told = subprocess.run(
        [sys.executable, "-c", "from clusterlib.hosts import listeners, proc\n" + program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.strip()
