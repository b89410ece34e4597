"""From markers, fixtures and class attributes to what a test needs."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlib.errors import NeedImpossible
from clusterlib.leases.need import IN_A_CLASS, Need, need_of
from clusterlib.testing.declared import our_fixtures

__all__ = ["SHARED", "need_of_item", "needs_shared", "uses_session"]

SHARED = frozenset({"cluster", "cluster_nodes", "with_cluster_size"})
OWN = frozenset({"cluster_factory", "session_cluster", "session_cluster_factory"})
"""With these a test starts its clusters itself."""
SESSION = frozenset({"session_cluster", "session_cluster_factory"})
CLUSTER_WORDS = ("profile", "dirty", "exclusive", "own")
SEVERAL = 2


def needs_shared(item: pytest.Item) -> bool:
    """Whether the test needs a cluster before it begins.

    A test that only starts its own does not; its markers then describe these. Raises
    NeedImpossible."""
    ours = our_fixtures(item)
    if shared := SHARED & ours:
        _check_scopes(item, shared)
        return True
    return OWN.isdisjoint(ours) and not _kind(item).get("own", False)


def uses_session(item: pytest.Item) -> bool:
    return not SESSION.isdisjoint(getattr(item, "fixturenames", ())) and bool(SESSION & our_fixtures(item))


def _check_scopes(item: pytest.Item, shared: frozenset[str]) -> None:
    """pytest would refuse this, too, as a ScopeMismatch; but only after a cluster was started, and
    without a remedy."""
    info = getattr(item, "_fixtureinfo", None)
    for name, definitions in info.name2fixturedefs.items() if info else ():
        wider = definitions[-1]
        wanted = sorted(shared.intersection(wider.argnames))
        if wanted and wider.scope != "function":
            raise NeedImpossible(
                f"the fixture {name} lives longer than one test, and asks for {wanted[0]}, which each test has anew",
                cause=f"the scope of {name} is {wider.scope}, that of {wanted[0]} is function",
                remedies=[
                    f"def {name}(session_cluster):  # one cluster for the whole session",
                    f"def {name}(session_cluster_factory):  # to choose its profile and size",
                    f"@pytest.fixture  # without a scope: {name} is made for each test",
                ],
            )


def need_of_item(item: pytest.Item) -> Need:
    """The closest marker has the last word; markers have it over class attributes.

    Raises NeedImpossible."""
    case = getattr(item, "cls", None)
    declared = case.declared_need() if case is not None and hasattr(case, "declared_need") else {}
    _take_nothing(item)
    kind = _kind(item)
    kind.pop("own", None)
    marked = {**_size(item), **kind}
    asked = {**declared, **marked}
    if item.get_closest_marker("multi_node") is not None:
        asked = _several(asked)
    return need_of(**asked, remedies=IN_A_CLASS if declared and not marked else None)


def _take_nothing(item: pytest.Item) -> None:
    """`multi_node(3)` would silently be two nodes."""
    for name in ("distributed", "multi_node"):
        for mark in item.iter_markers(name):
            if mark.args or mark.kwargs:
                raise NeedImpossible(
                    f"the marker {name}{_written(mark)} makes no sense",
                    cause=f"{name} takes nothing",
                    remedies=[f"@pytest.mark.{name}", "@pytest.mark.cluster_size(3)"],
                )


def _size(item: pytest.Item) -> dict[str, Any]:
    mark = item.get_closest_marker("cluster_size")
    if mark is None:
        return {}
    given = dict(zip(("size", "exact"), mark.args, strict=False))
    named = {"size" if key == "n" else key: value for key, value in mark.kwargs.items()}
    if (
        len(mark.args) > 1
        or "size" not in {**given, **named}
        or set(named) - {"size", "exact"}
        or given.keys() & named
    ):
        raise NeedImpossible(
            f"the marker cluster_size{_written(mark)} makes no sense",
            cause="it takes the number of nodes, and exact=True if there may be no more of them",
            remedies=["@pytest.mark.cluster_size(3)", "@pytest.mark.cluster_size(3, exact=True)"],
        )
    return {"exact": False, **given, **named}


def _kind(item: pytest.Item) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for mark in item.iter_markers("cluster"):  # the closest first
        if mark.args or set(mark.kwargs) - set(CLUSTER_WORDS):
            raise NeedImpossible(
                f"the marker cluster{_written(mark)} makes no sense",
                cause=f"it takes {', '.join(CLUSTER_WORDS[:-1])} and {CLUSTER_WORDS[-1]}, each by its name",
                remedies=['@pytest.mark.cluster(profile="dev")', "@pytest.mark.cluster(exclusive=True)"],
            )
        merged = {**mark.kwargs, **merged}
    if not isinstance(merged.get("own", False), bool):
        raise NeedImpossible(
            f"own is True or False, not {merged['own']!r}", remedies=["@pytest.mark.cluster(own=True)"]
        )
    return merged


def _several(asked: dict[str, Any]) -> dict[str, Any]:
    size = asked.get("size")
    if size is None:
        return {**asked, "size": SEVERAL}
    if size == 1:
        raise NeedImpossible(
            "the test is marked multi_node and cluster_size(1)",
            remedies=["@pytest.mark.cluster_size(2)", "take the marker multi_node away"],
        )
    return asked


def _written(mark: pytest.Mark) -> str:
    words = [repr(value) for value in mark.args] + [f"{key}={value!r}" for key, value in mark.kwargs.items()]
    return f"({', '.join(words)})"
