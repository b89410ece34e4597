"""Ports cannot race: not between clusters, not between users, not after a death."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlib.errors import PortsExhausted, UsageError
from clusterlib.hosts.ports import Claim, FileLock, PortAllocator, _bindable, holder_of, take_claim

LOOPBACK = "127.0.0.1"
PROGRAM = """
import sys
from pathlib import Path
from clusterlib.hosts.ports import PortAllocator
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
def ports() -> Iterator[tuple[int, int]]:
    """A range of 40 free ports, cooled down, that no other test uses now: neither of this run nor of another."""
    for first in random.sample(range(10000, 20000, 40), 250):
        window = take_claim(f"test-window/{first}")
        if window is None:
            continue
        if all(
            _bindable(address, port) for address in (LOOPBACK, "0.0.0.0") for port in range(first, first + 40)
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


def test_a_port_that_cools_down_is_passed_over(
    tmp_path: Path, ports: tuple[int, int], claims: list[Claim]
) -> None:
    allocator = PortAllocator(tmp_path)
    used = allocator.claim(LOOPBACK, ports[0], ports[0])
    with used.listen() as server, socket.create_connection((LOOPBACK, used.port)) as client:
        accepted, _ = server.accept()
        accepted.close()  # the side that closes first is the one that waits
        assert client.recv(1) == b""
    used.close()
    claims.append(allocator.claim(LOOPBACK, ports[0], ports[0] + 1))
    assert claims[0].port == ports[0] + 1


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
    assert "1 claimed by running clusters" in told
    assert any(remedy.startswith("ss -ltnp") for remedy in caught.value.remedies)


def test_a_port_that_nobody_holds_has_no_holder(ports: tuple[int, int]) -> None:
    assert holder_of(LOOPBACK, ports[1]) is None


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
    # Half of them have turns of their own, as another user has: there only the claims keep them apart.
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
