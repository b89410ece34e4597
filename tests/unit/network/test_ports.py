"""Ports cannot race: not between clusters, not between users, not after a death."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlib.errors import PortsExhausted, UsageError
from clusterlib.hosts import holders
from clusterlib.hosts.identity import Identity
from clusterlib.hosts.registry import RegisteredCluster, Registry
from clusterlib.network.ports import Claim, FileLock, PortAllocator, is_free, take_claim

LOOPBACK = "127.0.0.1"
PROGRAM = """
import sys
from pathlib import Path
from clusterlib.network.ports import PortAllocator
allocator = PortAllocator(Path(sys.argv[1]))
claims = [allocator.claim("127.0.0.1", int(sys.argv[2]), int(sys.argv[3])) for _ in range(int(sys.argv[4]))]
print(*(claim.port for claim in claims), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def claims() -> Iterator[list[Claim]]:
    """Claims put here are closed at the end."""
    held: list[Claim] = []
    yield held
    for claim in held:
        claim.close()


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Private, and short enough for the paths of sockets."""
    with tempfile.TemporaryDirectory(prefix="cl-", dir="/tmp") as folder:
        yield Path(folder)


def never_used(address: str, port: int) -> bool:
    """Whether nothing has the port, nor waits there after it was used: stricter than a server
    is."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


@pytest.fixture
def ports() -> Iterator[tuple[int, int]]:
    """A range of 40 ports that no test uses now, and that were not used for a minute."""
    for first in random.sample(range(10000, 20000, 40), 250):
        window = take_claim(f"test-window/{first}")
        if window is None:
            continue
        if all(
            never_used(address, port)
            for address in (LOOPBACK, "0.0.0.0")
            for port in range(first, first + 40)
        ):
            yield first, first + 39
            window.close()
            return
        window.close()
    raise AssertionError("no free range on this machine")


def test_two_claims_never_get_the_same_port(
    tmp_path: Path, ports: tuple[int, int], claims: list[Claim]
) -> None:
    allocator = PortAllocator(tmp_path)
    claims += [allocator.claim(LOOPBACK, *ports) for _ in range(20)]
    assert len({claim.port for claim in claims}) == 20
    assert all(ports[0] <= claim.port <= ports[1] for claim in claims)


def test_a_released_port_waits_until_its_range_has_had_its_turn(
    tmp_path: Path, ports: tuple[int, int]
) -> None:
    seen = []
    for _ in range(40):
        claim = PortAllocator(tmp_path).claim(LOOPBACK, *ports)
        seen.append(claim.port)
        claim.close()
    assert len(set(seen)) == 40
    again = PortAllocator(tmp_path).claim(LOOPBACK, *ports)
    assert again.port == seen[0]
    again.close()


def test_other_addresses_have_ports_of_their_own(
    tmp_path: Path, ports: tuple[int, int], claims: list[Claim]
) -> None:
    allocator = PortAllocator(tmp_path)
    claims += [allocator.claim(f"127.1.2.{n}", ports[0], ports[0]) for n in (1, 2, 3)]
    assert {claim.port for claim in claims} == {ports[0]}


def test_ports_to_avoid_are_avoided(tmp_path: Path, ports: tuple[int, int], claims: list[Claim]) -> None:
    claims.append(
        PortAllocator(tmp_path).claim(LOOPBACK, ports[0], ports[0] + 2, avoid={ports[0], ports[0] + 1})
    )
    assert claims[0].port == ports[0] + 2


@pytest.mark.parametrize("address", [LOOPBACK, "0.0.0.0"])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_in_use_is_passed_over(
    tmp_path: Path, ports: tuple[int, int], claims: list[Claim], address: str, kind: socket.SocketKind
) -> None:
    with socket.socket(socket.AF_INET, kind) as server:
        server.bind((address, ports[0]))
        claims.append(PortAllocator(tmp_path).claim(LOOPBACK, ports[0], ports[0] + 1))
        assert claims[0].port == ports[0] + 1


def use_once(listener: socket.socket) -> None:
    """Serves one client and hangs up first: its port is the one that then waits (TIME_WAIT)."""
    with listener, socket.create_connection(listener.getsockname()[:2]) as client:
        accepted, _ = listener.accept()
        accepted.close()
        assert client.recv(1) == b""


@pytest.mark.parametrize("address", [LOOPBACK, "::1"])
def test_a_used_port_can_be_used_again_at_once(
    tmp_path: Path, ports: tuple[int, int], claims: list[Claim], address: str
) -> None:
    allocator = PortAllocator(tmp_path)
    used = allocator.claim(address, ports[0], ports[0])
    use_once(used.listen())
    with (
        pytest.raises(OSError, match="in use"),
        socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as careful,
    ):
        careful.bind((address, used.port))  # it does wait: a server without SO_REUSEADDR notices
    used.close()
    claims.append(allocator.claim(address, ports[0], ports[0]))
    claims[0].listen().close()


def test_a_thousand_servers_in_a_row_fit_into_thirty_ports(tmp_path: Path, ports: tuple[int, int]) -> None:
    allocator = PortAllocator(tmp_path)
    for _ in range(1000):
        claim = allocator.claim(LOOPBACK, ports[0], ports[0] + 29)
        use_once(claim.listen())
        claim.close()


def test_the_waiting_port_of_a_server_without_reuse_is_passed_over_and_explained(
    tmp_path: Path, ports: tuple[int, int], claims: list[Claim]
) -> None:
    server = socket.socket()
    server.bind((LOOPBACK, ports[0]))
    server.listen()
    use_once(server)
    allocator = PortAllocator(tmp_path)
    with pytest.raises(PortsExhausted) as caught:
        allocator.claim(LOOPBACK, ports[0], ports[0])
    assert f"port {ports[0]}: a closed connection of a program that did not set SO_REUSEADDR" in str(
        caught.value
    )
    claims.append(allocator.claim(LOOPBACK, ports[0], ports[0] + 1))
    assert claims[0].port == ports[0] + 1


def test_a_range_in_order_begins_with_its_first_port_each_time(
    tmp_path: Path, ports: tuple[int, int]
) -> None:
    allocator = PortAllocator(tmp_path)
    for _ in range(3):
        pair = [allocator.claim(LOOPBACK, ports[0], ports[0] + 2, in_order=True) for _ in range(2)]
        assert [claim.port for claim in pair] == [ports[0], ports[0] + 1]
        for claim in pair:
            claim.close()


def test_a_loopback_without_addresses_is_not_taken_for_ports_in_use(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from clusterlib.network.ports import PortAllocator\n"
        "PortAllocator(pathlib.Path(sys.argv[1])).claim('127.0.0.1', 20000, 20010)"
    )
    emptied = 'ip link set lo up && ip address del 127.0.0.1/8 dev lo && exec "$@"'
    alone = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", emptied, "sh"]
    ended = subprocess.run(
        [*alone, sys.executable, "-c", program, str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "unshare failed" in ended.stderr:
        pytest.skip("this machine lets no user have a network namespace")
    assert "StartError: no port on 127.0.0.1 can be bound on this machine" in ended.stderr
    assert "sudo ip link set lo up" in ended.stderr


def test_a_claim_listens_on_its_port(tmp_path: Path, ports: tuple[int, int], claims: list[Claim]) -> None:
    claims.append(PortAllocator(tmp_path).claim(LOOPBACK, *ports))
    with claims[0].listen() as server, socket.create_connection((LOOPBACK, claims[0].port)) as client:
        accepted, _ = server.accept()
        with accepted:
            assert accepted.getpeername() == client.getsockname()


def test_when_no_port_is_free_the_error_names_who_has_them(
    tmp_path: Path, ports: tuple[int, int], claims: list[Claim]
) -> None:
    allocator = PortAllocator(tmp_path)
    claims.append(allocator.claim(LOOPBACK, ports[0], ports[0]))
    with socket.create_server((LOOPBACK, ports[0] + 1)), pytest.raises(PortsExhausted) as caught:
        allocator.claim(LOOPBACK, ports[0], ports[0] + 1)
    told = str(caught.value)
    assert f"port {ports[0] + 1}: pid {os.getpid()} (" in told
    assert f"port {ports[0]}: claimed by pid {os.getpid()} (" in told
    assert "1 are claimed by running clusters" in told
    assert f"ps -fp {os.getpid()}" in caught.value.remedies[0]
    assert caught.value.remedies[1].startswith("ss -antup")


def test_ports_that_another_cluster_of_ours_has_claimed_are_freed_by_its_end(
    tmp_path: Path,
    short_folder: Path,
    ports: tuple[int, int],
    claims: list[Claim],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLUSTERLIB_RUNTIME_DIR", str(short_folder))
    me = Identity.current()
    Registry().add(RegisteredCluster("m", "i", "p1", "/srv/shop", "/control", "/run", me, me))
    allocator = PortAllocator(tmp_path)
    claims.append(allocator.claim(LOOPBACK, ports[0], ports[0]))

    with pytest.raises(PortsExhausted) as caught:
        allocator.claim(LOOPBACK, ports[0], ports[0])

    assert f"port {ports[0]}: claimed by cluster p1 of /srv/shop" in caught.value.evidence
    assert caught.value.remedies[0] == "invoke cluster.down --name p1  # in /srv/shop"
    assert not any(remedy.startswith("ps ") for remedy in caught.value.remedies)


def test_a_port_that_only_udp_has_is_held_too(ports: tuple[int, int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((LOOPBACK, ports[0]))
        assert not is_free(LOOPBACK, ports[0])
        assert f"pid {os.getpid()} (" in (holders.of_port(LOOPBACK, ports[0]) or "")


def test_a_port_that_nobody_holds_has_no_holder(ports: tuple[int, int]) -> None:
    assert holders.of_port(LOOPBACK, ports[1]) is None


@pytest.mark.parametrize(("first", "last"), [(0, 10), (20, 10), (65000, 70000)])
def test_a_range_that_is_none_is_refused(tmp_path: Path, first: int, last: int) -> None:
    with pytest.raises(UsageError):
        PortAllocator(tmp_path).claim(LOOPBACK, first, last)


def test_a_damaged_memory_of_turns_does_no_harm(
    tmp_path: Path, ports: tuple[int, int], claims: list[Claim]
) -> None:
    (tmp_path / f"ports-{ports[0]}-{ports[1]}.turn").write_bytes(b"\xffnonsense")
    claims.append(PortAllocator(tmp_path).claim(LOOPBACK, *ports))
    assert claims[0].port == ports[0]


def test_blocks_of_addresses_do_not_overlap(tmp_path: Path) -> None:
    blocks = [PortAllocator(tmp_path).claim_block() for _ in range(5)]
    addresses = {block.address(n) for block in blocks for n in (1, 254)}
    assert len(addresses) == 10
    assert all(address.startswith("127.") and 64 <= int(address.split(".")[1]) < 128 for address in addresses)
    for wrong in (0, 255):
        with pytest.raises(UsageError):
            blocks[0].address(wrong)
    for block in blocks:
        block.close()


def test_many_processes_at_once_share_a_range_and_a_killed_one_frees_its_ports_at_once(
    tmp_path: Path, ports: tuple[int, int]
) -> None:
    # Half of them have turns of their own, as another user has: there only the claims keep them
    # apart.
    claimers = []
    for n in range(8):
        turns = tmp_path / str(n % 2)
        turns.mkdir(exist_ok=True)
        arguments = [sys.executable, "-c", PROGRAM, str(turns), str(ports[0]), str(ports[1]), "5"]
        claimers.append(subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    got: list[int] = []
    for claimer in claimers:
        assert claimer.stdout is not None
        got += [int(port) for port in claimer.stdout.readline().split()]
    assert sorted(got) == list(range(ports[0], ports[1] + 1))
    with pytest.raises(PortsExhausted):
        PortAllocator(tmp_path).claim(LOOPBACK, *ports)
    for claimer in claimers:
        claimer.kill()
        claimer.communicate()
    claims = [PortAllocator(tmp_path).claim(LOOPBACK, *ports) for _ in range(40)]
    for claim in claims:
        claim.close()


def test_a_file_lock_is_a_claim_too(tmp_path: Path) -> None:
    lock = FileLock("port/127.0.0.1/1", tmp_path / "locks")
    with pytest.raises(BlockingIOError):
        FileLock("port/127.0.0.1/1", tmp_path / "locks")
    FileLock("port/127.0.0.1/2", tmp_path / "locks").close()
    lock.close()
    lock.close()
    FileLock("port/127.0.0.1/1", tmp_path / "locks").close()
