"""Erlang nodes that were started without clusterlib, and a connection to one of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clusterlib.drivers.beam.connection import Connection
from clusterlib.waiting import Deadline, poll
from tests.systems.beam_nodes import PATIENCE, Nodes
from tests.systems.installed import need


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    need("erl", "erlang-base")
    with Nodes(tmp_path_factory.mktemp("beam")) as nodes:
        nodes.start("n1")
        yield nodes


@pytest.fixture(scope="module")
def node(nodes: Nodes) -> Iterator[Connection]:
    with nodes.connect("n1") as connection:
        yield connection


@pytest.fixture
def mortal(nodes: Nodes) -> Iterator[str]:
    """A node for one test, which may kill it."""
    name = "mortal"
    nodes.start(name)
    yield name
    if name in nodes.processes:
        nodes.kill(name)
    assert poll(lambda: name not in nodes.directory.ports, Deadline(PATIENCE))
