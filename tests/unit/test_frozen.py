"""`@frozen` makes what the standard decorator makes: each promise is asked of both."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any, ClassVar

import pytest

from clusterlib.frozen import frozen

Decorator = Callable[[type], Any]


@frozen
class OurPlace:
    name: str
    ports: dict[str, int] = field(default_factory=dict)
    note: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class TheirPlace:
    name: str
    ports: dict[str, int] = field(default_factory=dict)
    note: str = field(default="", repr=False, compare=False)


@pytest.fixture(params=[OurPlace, TheirPlace])
def place(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=[frozen, dataclass(frozen=True, slots=True)], ids=["ours", "theirs"])
def decorate(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_values_come_by_place_by_name_and_by_default(place: Any) -> None:
    made = place("a", note="b")

    assert (made.name, made.ports, made.note) == ("a", {}, "b")
    assert place(name="a").ports is not place(name="a").ports


@pytest.mark.parametrize(
    ("given", "named"),
    [((), {}), (("a", {}, "", "more"), {}), (("a",), {"name": "b"}), (("a",), {"other": 1})],
    ids=["too few", "too many", "twice", "unknown"],
)
def test_what_does_not_fit_is_refused(place: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        place(*given, **named)


def test_it_says_what_did_not_fit() -> None:
    with pytest.raises(TypeError, match="OurPlace has no field 'other', only name, ports, note"):
        OurPlace("a", other=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="OurPlace needs a value for 'name'"):
        OurPlace()  # type: ignore[call-arg]


def test_it_cannot_be_changed(place: Any) -> None:
    made = place("a")

    with pytest.raises(FrozenInstanceError):
        made.name = "b"
    with pytest.raises(FrozenInstanceError):
        del made.name
    with pytest.raises((FrozenInstanceError, TypeError)):  # which of them depends on the version of Python
        made.unheard_of = 1
    assert not hasattr(made, "__dict__")
    assert made == place("a")


def test_equal_values_are_equal_and_hash_alike(place: Any) -> None:
    assert place("a", {"x": 1}, "one") == place("a", {"x": 1}, "another")
    assert place("a") != place("b")
    assert place("a") != ("a", {}, "")
    assert {place: 1}
    with pytest.raises(TypeError, match="unhashable"):
        hash(place("a"))  # it holds a dict


def test_a_value_of_another_class_is_never_equal(decorate: Decorator) -> None:
    class One:
        x: int

    class Other:
        x: int

    one, other = decorate(One), decorate(Other)
    assert one(1) == one(1)
    assert one(1) != other(1)
    assert hash(one(1)) == hash(one(1))


def test_it_shows_what_it_holds(place: Any) -> None:
    assert repr(place("a", note="secret")) == f"{place.__name__}(name='a', ports={{}})"


def test_it_is_a_dataclass_for_everybody_else(place: Any) -> None:
    made = place("a", {"x": 1})

    assert is_dataclass(type(made))
    assert [one.name for one in fields(made)] == ["name", "ports", "note"]
    assert asdict(made) == {"name": "a", "ports": {"x": 1}, "note": ""}
    assert replace(made, name="b") == place("b", {"x": 1})
    match made:
        case place(name, ports):
            assert (name, ports) == ("a", {"x": 1})


def test_it_travels(place: Any) -> None:
    made = place("a", {"x": 1}, "kept")

    for twin in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made), copy.copy(made)):
        assert (twin.name, twin.ports, twin.note) == ("a", {"x": 1}, "kept")


def test_what_a_class_defines_itself_is_kept(decorate: Decorator) -> None:
    class Even:
        """A number."""

        number: int
        most: ClassVar[int] = 10

        def __post_init__(self) -> None:
            if self.number % 2:
                raise ValueError("odd")

        def __str__(self) -> str:
            return f"{self.number} of {self.most}"

        def __hash__(self) -> int:
            return 7

    even = decorate(Even)
    assert str(even(4)) == "4 of 10"
    assert hash(even(4)) == 7
    assert even.__doc__ == "A number."
    with pytest.raises(ValueError, match="odd"):
        even(3)


def test_a_class_can_be_made_of_another(decorate: Decorator) -> None:
    class Base:
        x: int
        y: int = 2

    base = decorate(Base)

    class More(base):  # type: ignore[misc, valid-type]
        z: int = 3

    more = decorate(More)
    assert [one.name for one in fields(more)] == ["x", "y", "z"]
    made = more(1, z=5)
    assert (made.x, made.y, made.z) == (1, 2, 5)
    assert made != base(1)
