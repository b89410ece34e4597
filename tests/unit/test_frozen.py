"""`@frozen` makes what the standard decorator makes: each promise is asked of both."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, asdict, dataclass, field, fields, is_dataclass, replace
from types import ModuleType
from typing import Any, ClassVar

import pytest

from clusterlib.frozen import field_names, frozen, shape_of
from clusterlib.frozen import replace as frozen_replace
from clusterlib.messages import events, plan, requests, status

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
    [
        ((), {}),
        (("a", {}, "", "more"), {}),
        (("a",), {"name": "b"}),
        (("a",), {"name": "b", "ports": {}, "note": ""}),
        (("a",), {"other": 1}),
    ],
    ids=["too few", "too many", "twice", "twice beside all others", "unknown"],
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


def test_a_class_can_give_an_inherited_field_another_default(decorate: Decorator) -> None:
    class Base:
        x: int = 1
        y: int = 2

    base = decorate(Base)

    class Other(base):  # type: ignore[misc, valid-type]
        x: int = 7

    other = decorate(Other)
    assert (other().x, other().y, base().x) == (7, 2, 1)
    assert [(one.name, one.default) for one in fields(other)] == [("x", 7), ("y", 2)]
    assert repr(other(y=3)) == f"{other.__qualname__}(x=7, y=3)"


def test_a_copy_with_changes_is_a_new_value() -> None:
    made = OurPlace("a", {"x": 1}, "kept")

    changed = frozen_replace(made, name="b")

    assert (changed.name, changed.ports, changed.note) == ("b", {"x": 1}, "kept")
    assert made.name == "a"
    with pytest.raises(TypeError, match="no field 'other'"):
        frozen_replace(made, other=1)


@pytest.mark.parametrize("module", [plan, status, requests, events])
def test_the_module_dataclasses_knows_the_same_fields_and_defaults(module: ModuleType) -> None:
    kinds = [one for one in vars(module).values() if hasattr(one, "__shape__")]

    for kind in kinds:
        shape, standard = shape_of(kind), fields(kind)
        assert [one.name for one in standard] == list(field_names(kind))
        assert {one.name: one.default for one in standard if one.default is not MISSING} == shape.defaults
        assert {one.name for one in standard if one.default_factory is not MISSING} == set(shape.factories)
    assert kinds


def test_a_value_without_fields_takes_none() -> None:
    @frozen
    class Nothing:
        pass

    assert Nothing() == Nothing()
    with pytest.raises(TypeError, match="Nothing takes 0 values, and 1 were given"):
        Nothing(1)  # type: ignore[call-arg]
