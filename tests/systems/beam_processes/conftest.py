from __future__ import annotations

from collections.abc import Iterator

import pytest

from clusterlib.drivers.beam.terms import Atom, Pid
from clusterlib.messages.processes import ProcessOrder
from clusterlib.waiting import Deadline, poll
from tests.systems.beam_nodes import PATIENCE, Nodes
from tests.systems.beam_processes.nodes import SECONDS, World
from tests.systems.beam_shop import compile_shop
from tests.systems.installed import need


@pytest.fixture(scope="module", params=["erlang", "elixir"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    need("erl", "erlang-base")
    if request.param == "elixir":
        need("elixir", "elixir")
    folder = tmp_path_factory.mktemp("beam")
    with Nodes(folder) as nodes:
        world = World(nodes, compile_shop(folder / "shop"), request.param)
        yield world
        world.close()


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    """Nothing is left on a node after a test: no process, and no name."""
    for name in ("node1", "node2"):
        shared.on(name).busiest(ProcessOrder.WORK, 1, None, SECONDS)  # loads what is used
    yield shared
    assert poll(lambda: not _holder(shared), Deadline(PATIENCE)), "a suspended process is held"


def _holder(world: World) -> list[str]:
    return [
        name
        for name in ("node1", "node2")
        if isinstance(world.call(name, "erlang", "whereis", Atom("clusterlib_suspended")), Pid)
    ]
