"""Who links to whom."""

from __future__ import annotations

from collections import deque

import pytest

from clusterlib.runtime import overlay


def ring_of(size: int) -> list[str]:
    return sorted(f"node{number}" for number in range(size))


def graph(ring: list[str]) -> dict[str, set[str]]:
    links: dict[str, set[str]] = {name: set() for name in ring}
    for name in ring:
        for other in overlay.links_of(name, ring):
            links[name].add(other)
            links[other].add(name)
    return links


def farthest(links: dict[str, set[str]], start: str) -> int:
    hops = {start: 0}
    queue = deque([start])
    while queue:
        name = queue.popleft()
        for other in links[name] - hops.keys():
            hops[other] = hops[name] + 1
            queue.append(other)
    assert len(hops) == len(links)
    return max(hops.values())


@pytest.mark.parametrize("size", range(1, 9))
def test_up_to_eight_nodes_all_link_to_all(size: int) -> None:
    ring = ring_of(size)
    assert all(graph(ring)[name] == set(ring) - {name} for name in ring)


@pytest.mark.parametrize("size", [9, 16, 17, 33, 64, 100, 300])
def test_more_nodes_have_few_links_and_short_ways(size: int) -> None:
    links = graph(ring_of(size))
    assert max(map(len, links.values())) <= 14
    assert farthest(links, "node0") <= 6


def test_everybody_is_watched_by_two_or_three_others() -> None:
    for size, watchers in ((4, 3), (8, 3), (9, 2), (50, 2)):
        ring = ring_of(size)
        watched = [name for watcher in ring for name in overlay.watched_by(watcher, ring, lambda _: True)]
        assert all(watched.count(name) == watchers for name in ring)


def test_the_next_living_ones_are_watched() -> None:
    ring = list("abcdef")
    assert overlay.watched_by("e", ring, lambda name: name not in "fb") == ["a", "c", "d"]


def test_the_watch_can_be_widened_for_a_while_but_not_to_everybody() -> None:
    ring = ring_of(100)
    assert overlay.watched_by(ring[98], ring, lambda _: True, more=3) == [ring[99], *ring[:4]]
    assert len(overlay.watched_by(ring[0], ring, lambda _: True, more=1000)) < 20


def test_who_is_not_in_the_roster_links_to_nobody() -> None:
    assert overlay.links_of("x", ring_of(3)) == set()
    assert overlay.watched_by("x", ring_of(3), lambda _: True) == []
