"""Which process has a name is a matter of the claims alone, in whatever order they arrive."""

from __future__ import annotations

import itertools

import pytest

from clusterlib.runtime.processes.placement import heir, place
from clusterlib.runtime.processes.registry import NameClaim, NameRegistry
from clusterlib.runtime.processes.supervision import Intensity, affected, is_due
from clusterlib.runtime.processes.values import ProcessId, RestartRule, Strategy


class Nodes:
    """The nodes that can be reached, and their lives."""

    def __init__(self, **lives: int) -> None:
        self.lives = lives

    def is_alive(self, process: ProcessId) -> bool:
        return self.lives.get(process.node) == process.life

    def is_outdated(self, process: ProcessId) -> bool:
        return process.life < self.lives.get(process.node, 0)


def registry(node: str, nodes: Nodes) -> NameRegistry:
    return NameRegistry(node, nodes.lives[node], nodes.is_alive)


CLAIMS = [
    NameClaim("cart", 3, ProcessId("node1", 7, 1)),
    NameClaim("cart", 2, ProcessId("node2", 5, 1)),
    NameClaim("cart", 2, ProcessId("node3", 4, 1)),
    NameClaim("cart", 1, ProcessId("node2", 1, 1), ended=True),
]


@pytest.mark.parametrize("claims", list(itertools.permutations(CLAIMS)))
def test_the_oldest_living_claim_has_the_name_in_whatever_order_claims_arrive(
    claims: tuple[NameClaim, ...],
) -> None:
    found = registry("node9", Nodes(node9=1, node1=1, node2=1, node3=1))

    for claim in claims:
        found.merge([claim])

    assert found.find("cart") == ProcessId("node2", 5, 1)


def test_the_name_of_a_lost_node_is_free_and_belongs_to_it_again_when_it_returns() -> None:
    nodes = Nodes(node1=1, node2=1)
    found = registry("node1", nodes)
    found.merge([NameClaim("cart", 1, ProcessId("node2", 1, 1))])
    del nodes.lives["node2"]
    assert found.find("cart") is None

    mine = ProcessId("node1", 1, 1)
    found.claim("cart", mine)
    assert found.find("cart") == mine
    assert found.losers() == []
    nodes.lives["node2"] = 1

    assert [(lost.process, lost.winner) for lost in found.losers()] == [(mine, ProcessId("node2", 1, 1))]
    assert found.losers({"another"}) == []


def test_a_claim_that_comes_again_is_not_passed_on_and_an_end_is_final() -> None:
    found = registry("node1", Nodes(node1=1, node2=1))
    claim = NameClaim("cart", 1, ProcessId("node2", 1, 1))
    assert found.merge([claim]) == {"cart"}
    assert found.take_pending() == [claim]

    assert found.merge([claim]) == set()
    assert found.merge([claim._replace(ended=True)]) == {"cart"}
    assert found.merge([claim]) == set()

    assert found.find("cart") is None
    assert found.take_pending() == [claim._replace(ended=True)]


def test_claims_of_an_earlier_life_are_forgotten_once_they_are_settled() -> None:
    nodes = Nodes(node1=1, node2=1)
    found = registry("node1", nodes)
    found.merge([NameClaim("cart", 1, ProcessId("node2", 1, 1), will="how to start it")])
    nodes.lives["node2"] = 2

    assert [claim.name for claim in found.orphans(nodes.is_outdated)] == ["cart"]
    found.forget(nodes.is_outdated)

    assert found.known() == []
    assert found.orphans(nodes.is_outdated) == []


def test_a_node_learns_of_what_it_was_before_it_was_started_again() -> None:
    nodes = Nodes(node1=2, node2=1)
    found = registry("node1", nodes)

    earlier, unknown = ProcessId("node1", 1, 1), ProcessId("node1", 1, 2)
    found.merge([NameClaim("old", 1, earlier, will="how to start it"), NameClaim("new", 1, unknown)])

    assert [claim.name for claim in found.orphans(nodes.is_outdated)] == ["old"]
    assert found.find("new") is None, "a process of this node that it does not know has ended"


def test_two_processes_of_one_node_with_one_name_end_as_one() -> None:
    found = registry("node1", Nodes(node1=1))
    first, second = ProcessId("node1", 1, 1), ProcessId("node1", 2, 1)
    found.claim("cart", first)
    found.claim("cart", second)

    assert [lost.process for lost in found.losers()] == [second]
    found.release("cart", second)
    assert found.losers() == []
    assert found.find("cart") == first


def test_a_process_runs_where_it_is_preferred_or_where_there_are_fewest() -> None:
    loads = {"node1": 2, "node2": 1, "node3": 1}
    names = ["node1", "node2", "node3"]

    assert place(names, loads, "node1", "node1") == "node1"
    assert place(names, loads, "node1", "gone") == "node2"
    assert place(names, loads, "node3") == "node3"
    assert place([*names, "node4"], loads, "node3") == "node4"


def test_all_nodes_choose_the_same_heir_and_names_spread() -> None:
    names = ["node1", "node2", "node3"]
    heirs = [heir(names, f"cart:{number}") for number in range(100)]

    assert [heir(list(reversed(names)), f"cart:{number}") for number in range(100)] == heirs
    assert set(heirs) == set(names)


def test_a_supervisor_decides_by_rule_strategy_and_intensity() -> None:
    assert [is_due(rule, failed=True) for rule in RestartRule] == [False, True, True]
    assert [is_due(rule, failed=False) for rule in RestartRule] == [False, False, True]
    assert affected(Strategy.ONE_FOR_ONE, "abc", "b") == ["b"]
    assert affected(Strategy.REST_FOR_ONE, "abc", "b") == ["b", "c"]
    assert affected(Strategy.ONE_FOR_ALL, "abc", "b") == ["a", "b", "c"]
    intensity = Intensity(2, within=5)
    assert [intensity.permits(now) for now in (0, 1, 2, 20)] == [True, True, False, True]
