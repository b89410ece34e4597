"""The ports of nodes, together with those that depend on them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlib.drivers.fake import FakeDriver
from clusterlib.errors import PortsExhausted, StartError
from clusterlib.keeper.provision import Provisioner
from clusterlib.messages.plan import DerivedPort
from clusterlib.network.ports import PortAllocator
from clusterlib.rundir.folders import new_run
from clusterlib.values.ports import PortRange
from tests.plans import plan_of, role_plan

FIRST = 28700
OFFSET = 10


def provisioner(tmp_path: Path, *, count: int, last: int) -> Provisioner:
    """Nodes whose range has room for no others, so that each has its port each time."""
    role = role_plan(
        "fake",
        count=count,
        ports={"cluster": PortRange(FIRST, last)},
        derived={"bus": DerivedPort("cluster", OFFSET)},
    )
    plan = plan_of(role)
    return Provisioner(plan, role, new_run(tmp_path, "test"), FakeDriver(), PortAllocator(tmp_path))


@pytest.fixture
def taken() -> Iterator[None]:
    """Another program has the port that depends on the first one."""
    with socket.create_server(("127.0.0.1", FIRST + OFFSET)):
        yield


@pytest.mark.usefixtures("taken")
def test_the_next_port_is_tried_if_one_that_depends_on_the_first_is_taken(tmp_path: Path) -> None:
    role = role_plan("fake", count=2)
    placing = provisioner(tmp_path, count=2, last=FIRST + 1)

    ((spec, claims),) = placing.place(role.nodes[:1], [])

    assert spec.ports == {"cluster": FIRST + 1, "bus": FIRST + 1 + OFFSET}
    for claim in claims.values():
        claim.close()


@pytest.mark.usefixtures("taken")
def test_a_range_without_a_port_whose_dependent_one_is_free_is_exhausted(tmp_path: Path) -> None:
    placing = provisioner(tmp_path, count=1, last=FIRST)

    with pytest.raises(PortsExhausted, match="has its bus free"):
        placing.place(role_plan("fake", count=1).nodes, [])


def test_nothing_stays_claimed_if_a_dependent_port_cannot_be_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    placing = provisioner(tmp_path, count=1, last=FIRST)

    def out_of_descriptors(*_: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as broken:
        broken.setattr(PortAllocator, "claim_exactly", out_of_descriptors)
        with pytest.raises(StartError, match="cannot be given their ports") as caught:
            placing.place(role_plan("fake", count=1).nodes, [])
    del caught  # with its frames, which hold the claims

    ((_, claims),) = placing.place(role_plan("fake", count=1).nodes, [])
    for claim in claims.values():
        claim.close()
