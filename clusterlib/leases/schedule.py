"""Which cluster serves which tests, in which order, with the fewest starts.

Pure and deterministic: every worker of a parallel run computes the same order from the same tests,
whatever memory is free at that moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from clusterlib.errors import NeedImpossible, ProfileError
from clusterlib.evidence.records import (
    LargestNeed,
    PlannedGroup,
    ScheduleRecorded,
    Unservable,
)
from clusterlib.frozen import frozen
from clusterlib.leases.need import MOST_NODES, Need
from clusterlib.messages.recorded import RecordedError
from clusterlib.remedies import do

__all__ = ["Asked", "ClusterShape", "Group", "Largest", "Schedule", "make_schedule", "too_large"]


@frozen
class Asked:
    """One test of the run, at its place among the others. A test without a need keeps its place."""

    test: str
    need: Need | None = None
    fault: NeedImpossible | None = None
    """The error in the test's need, if it is already known."""


@frozen
class ClusterShape:
    """The properties of a profile on this machine that matter to a schedule."""

    count: int
    """Nodes that a cluster of it starts with."""
    capacity: int = MOST_NODES
    """Nodes of it that this machine can carry."""
    capacity_reason: str = ""
    steady: int | None = None
    """The count with plenty of memory, which determines the order. None: the count."""
    least: int = 1
    """The minimum for adaptation to a small machine."""
    fixed: bool = False
    """Its clusters keep the size they were started with, so each size needs its own start."""


Shapes = Callable[[str], ClusterShape]
"""The shape of a profile. Raises ProfileError."""


@frozen
class Largest:
    """The test that needs most nodes in its group; None if no test has a size."""

    test: str
    size: int | None


@frozen
class Group:
    """Tests that use the same cluster at the same size."""

    profile: str
    nodes: int
    exact: bool
    tests: tuple[str, ...]
    largest: Largest
    least: int = 1
    """All of its tests can be served with this many nodes."""
    starts: bool = True
    """Whether a cluster is started for it; else the previous group's cluster is scaled."""

    def recorded(self) -> PlannedGroup:
        largest = LargestNeed(self.largest.test, self.largest.size)
        return PlannedGroup(self.profile, self.nodes, self.exact, self.starts, self.tests, largest)


@frozen
class Schedule:
    """The answer to all needs of a run. Printed, it is the plan that the user sees."""

    order: tuple[int, ...]
    """Positions in the request, in the order in which the tests run."""
    groups: tuple[Group, ...] = ()
    impossible: Mapping[int, NeedImpossible] | None = None
    """Position in the request -> why no cluster can ever serve that test."""
    asked: tuple[Asked, ...] = ()

    @property
    def starts(self) -> int:
        """How many clusters are started: one for each profile, which is then scaled if it
        can be."""
        return sum(group.starts for group in self.groups)

    @property
    def tests(self) -> int:
        """How many tests need a cluster."""
        return sum(one.need is not None or one.fault is not None for one in self.asked)

    def recorded(
        self, private: Sequence[str] = (), *, total: int = 0, distributed: int = 0
    ) -> ScheduleRecorded:
        """`private`: tests that start their own clusters. `total`: the number of all tests."""
        impossible = [
            Unservable(self.asked[place].test, RecordedError.of(error))
            for place, error in sorted((self.impossible or {}).items())
        ]
        return ScheduleRecorded(
            self.tests,
            self.starts,
            tuple(group.recorded() for group in self.groups),
            tuple(impossible),
            tuple(private),
            total,
            distributed,
        )


def make_schedule(asked: Sequence[Asked], shapes: Shapes, *, default: str) -> Schedule:
    """Serves all these tests with one start for each profile, or for each size if clusters cannot
    be scaled.

    `default` is the profile of tests without one. Tests with a need change places only among
    themselves, and only if there is more than one group."""
    known: dict[str, ClusterShape] = {}
    impossible: dict[int, NeedImpossible] = {}
    sound: list[_Want] = []
    for place, one in enumerate(asked):
        try:
            want = _want(place, one, default)
            if want is not None:
                _learn_shape(want, shapes, known)
                sound.append(want)
        except NeedImpossible as error:
            impossible[place] = error
    fitting = []
    for want in sound:
        fault = too_large(want.test, want.size, want.profile, known[want.profile])
        if fault is None:
            fitting.append(want)
        else:
            impossible[want.place] = fault
    # Tests that are too large for the memory of this moment keep the place that the other workers
    # give them.
    steady = {name: shape.count if shape.steady is None else shape.steady for name, shape in known.items()}
    real = {name: shape.count for name, shape in known.items()}
    groups: list[Group] = []
    for profile, nodes, exact, wants in _grouped(fitting, real):
        starts = known[profile].fixed or all(group.profile != profile for group in groups)
        groups.append(_group(profile, nodes, exact, wants, known[profile], starts=starts))
    return Schedule(
        order=_order(len(asked), [wants for *_, wants in _grouped(sound, steady)]),
        groups=tuple(groups),
        impossible=dict(sorted(impossible.items())),
        asked=tuple(asked),
    )


@frozen
class _Want:
    """A need at its place, with its profile."""

    place: int
    test: str
    profile: str
    size: int | None
    exact: bool


def _want(place: int, one: Asked, default: str) -> _Want | None:
    if one.fault is not None:
        raise one.fault
    if one.need is None:
        return None
    need = one.need
    if need.size is not None and need.size > MOST_NODES:
        raise NeedImpossible(
            f"{one.test} asks for {need.size} nodes; no cluster has more than {MOST_NODES}",
            remedies=[f"@pytest.mark.cluster_size({MOST_NODES})"],
        )
    return _Want(place, one.test, need.profile or default, need.size, need.exact)


def _learn_shape(want: _Want, shapes: Shapes, known: dict[str, ClusterShape]) -> None:
    if want.profile in known:
        return
    try:
        known[want.profile] = shapes(want.profile)
    except ProfileError as error:
        raise NeedImpossible(
            f"{want.test} asks for the profile {want.profile}, which cannot be used",
            cause=error.problem,
            evidence=error.evidence,
            remedies=error.remedies,
        ) from error


def too_large(
    test: str,
    size: int | None,
    profile: str,
    shape: ClusterShape,
    *,
    written: str = "@pytest.mark.cluster_size({})",
) -> NeedImpossible | None:
    """Why this machine cannot carry a cluster of that size.

    `written` is how the test has requested it."""
    if size is None or size <= max(shape.capacity, shape.count):
        return None
    return NeedImpossible(
        f"{test} asks for {size} nodes; this machine carries {shape.capacity} of profile {profile}",
        cause=shape.capacity_reason or None,
        remedies=[written.format(shape.capacity), do("profile.show", profile, resolved=True)],
    )


_Grouped = tuple[str, int, bool, list[_Want]]


def _grouped(wants: Iterable[_Want], counts: Mapping[str, int]) -> list[_Grouped]:
    """The profiles in the order of their appearance, for each the shared group first, then the
    exact sizes, the largest first."""
    profiles: dict[str, list[_Want]] = {}
    for want in wants:
        profiles.setdefault(want.profile, []).append(want)
    return [
        group for profile, theirs in profiles.items() for group in _sizes(profile, theirs, counts[profile])
    ]


def _sizes(profile: str, wants: list[_Want], count: int) -> Iterator[_Grouped]:
    easy = [want for want in wants if not want.exact]
    base = max([count, *(want.size or 0 for want in easy)]) if easy else None
    if base is not None:
        yield profile, base, False, [want for want in wants if not want.exact or want.size == base]
    for size in sorted({want.size or 0 for want in wants if want.exact and want.size != base}, reverse=True):
        yield profile, size, True, [want for want in wants if want.exact and want.size == size]


def _group(
    profile: str, nodes: int, exact: bool, wants: list[_Want], shape: ClusterShape, *, starts: bool
) -> Group:
    largest = max(wants, key=lambda want: want.size or 0)  # the first of several
    content = shape.least if any(want.size is None for want in wants) else 1
    return Group(
        profile,
        nodes,
        exact,
        tuple(want.test for want in wants),
        Largest(largest.test, largest.size),
        least=min(nodes, max(content, largest.size or 0)),
        starts=starts,
    )


def _order(count: int, groups: list[list[_Want]]) -> tuple[int, ...]:
    order = list(range(count))
    if len(groups) > 1:
        places = sorted(want.place for wants in groups for want in wants)
        for place, want in zip(places, (want for wants in groups for want in wants), strict=True):
            order[place] = want.place
    return tuple(order)
