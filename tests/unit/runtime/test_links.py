"""Which nodes see each other, and when, through deaths, silence and cut networks.

Time is virtual, so the limits hold on any machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

DETECTION = 1.0  # seconds in which a death is to be noticed by all


@pytest.fixture
def five(nodes: Callable[[int], Any]) -> Any:
    return started(nodes(5))


@pytest.fixture
def twenty(nodes: Callable[[int], Any]) -> Any:
    return started(nodes(20))


def started(grid: Any) -> Any:
    grid.start()
    grid.wait_for_views(grid.names, within=1.0)
    return grid


def versions(grid: Any) -> dict[str, int]:
    return {name: node.membership.version for name, node in grid.nodes.items()}


def reachable(grid: Any, start: str) -> set[str]:
    """Whom news of `start` reaches over the links that are there."""
    found, unseen = {start}, [start]
    while unseen:
        for neighbour in grid[unseen.pop()].links.links.keys() & grid.nodes.keys() - found:
            found.add(neighbour)
            unseen.append(neighbour)
    return found


def test_nobody_is_ever_suspected_to_death_while_nothing_happens(twenty: Any) -> None:
    before = versions(twenty)
    twenty.pass_time(30.0)
    assert versions(twenty) == before


def test_both_sides_of_a_cut_network_go_on_and_become_one_again(five: Any) -> None:
    few, many = five.names[:2], five.names[2:]
    five.cable.cut(few, many)
    five.wait_for_views(few, many, within=2 * DETECTION)

    *rest, victim = many
    five.kill(victim)
    five.wait_for_views(few, rest, within=DETECTION)
    five.start(victim)
    five.wait_for_views(few, many, within=DETECTION)

    five.cable.mend()
    five.wait_for_views(five.names, within=DETECTION)
    before = versions(five)
    five.pass_time(10.0)
    assert versions(five) == before


@pytest.mark.parametrize("minutes", [0, 5])
def test_twenty_nodes_find_each_other_again_however_long_they_were_cut(twenty: Any, minutes: int) -> None:
    one, other = twenty.names[:10], twenty.names[10:]
    twenty.cable.cut(one, other)
    twenty.wait_for_views(one, other, within=3 * DETECTION)
    twenty.pass_time(60.0 * minutes)
    twenty.cable.mend()
    twenty.wait_for_views(twenty.names, within=2 * DETECTION)


def test_a_node_that_is_cut_off_alone_believes_in_nobody_and_comes_back(twenty: Any) -> None:
    alone, rest = twenty.names[:1], twenty.names[1:]
    twenty.cable.cut(alone, rest)
    twenty.wait_for_views(rest, within=DETECTION)
    twenty.wait_for_views(alone, rest, within=3 * DETECTION)
    twenty.cable.mend()
    twenty.wait_for_views(twenty.names, within=2 * DETECTION)


def test_a_minority_of_many_finds_out_soon_and_what_it_linked_for_that_is_given_up(
    nodes: Callable[[int], Any],
) -> None:
    fifty = started(nodes(50))
    usual = sum(len(node.links.links) for node in fifty.nodes.values())
    few, many = fifty.names[:10], fifty.names[10:]
    fifty.cable.cut(few, many)
    fifty.wait_for_views(few, many, within=3 * DETECTION)
    fifty.cable.mend()
    fifty.wait_for_views(fifty.names, within=DETECTION)
    fifty.pass_time(5.0)
    assert sum(len(node.links.links) for node in fifty.nodes.values()) == usual


def test_a_cut_too_short_to_be_a_death_changes_no_view(five: Any) -> None:
    before = versions(five)
    five.cable.cut(five.names[:2], five.names[2:])
    five.pass_time(0.4)
    five.cable.mend()
    five.pass_time(5.0)
    assert versions(five) == before


def test_three_dead_neighbours_are_noticed_by_all_and_their_links_replaced(twenty: Any) -> None:
    dead = twenty.names[6:9]
    rest = [name for name in twenty.names if name not in dead]
    twenty.kill(*dead)
    twenty.wait_for_views(rest, within=DETECTION)

    twenty.wait_until(lambda: reachable(twenty, rest[0]) == set(rest), within=DETECTION)
    twenty.kill(rest[6])  # the next one: whoever watches it now did not before
    rest.remove(rest[6])
    twenty.wait_for_views(rest, within=DETECTION)

    twenty.start(*(set(twenty.names) - set(rest)))
    twenty.wait_for_views(twenty.names, within=2 * DETECTION)


def test_three_silent_neighbours_are_noticed_by_all_and_return(twenty: Any) -> None:
    silent = twenty.names[6:9]
    rest = [name for name in twenty.names if name not in silent]
    for name in silent:
        twenty[name].network.freeze()
    twenty.wait_for_views(rest, within=3 * DETECTION)
    for name in silent:
        twenty[name].network.context.run(twenty[name].network.thaw)
    twenty.wait_for_views(twenty.names, within=2 * DETECTION)


def test_a_silent_node_is_noticed_by_all_within_a_second(twenty: Any) -> None:
    rest = twenty.names[1:]
    twenty[twenty.names[0]].network.freeze()
    twenty.wait_for_views(rest, within=DETECTION)


def test_one_silent_node_among_a_hundred_is_noticed_by_all_within_a_second(
    nodes: Callable[[int], Any],
) -> None:
    hundred = started(nodes(100))
    hundred["node50"].network.freeze()
    rest = [name for name in hundred.names if name != "node50"]
    hundred.wait_for_views(rest, within=DETECTION)


def test_a_handshake_that_a_leaving_peer_cuts_short_is_no_news_and_a_second_one_is(
    five: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    node, peer = five[five.names[0]], five.names[1]
    node.links._attempts.verify(peer)

    node.links._attempts.failed(peer, "it closed the connection during the handshake", gone=False)
    assert capsys.readouterr().err == ""

    node.links._attempts.failed(peer, "it closed the connection during the handshake", gone=False)
    assert f"no link to {peer}: it closed" in capsys.readouterr().err
