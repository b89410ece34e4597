"""Frozen values with named fields: `@frozen` is `@dataclass(frozen=True, slots=True)`, made in a
tenth of the time.

The standard decorator generates, compiles and runs the source of seven methods for each class, and
examines the type of each field. For the hundred classes that a keeper uses before its first node,
this took more than a quarter of its import time. Here all classes share their methods, which look
up the fields when they are called. What the module `dataclasses` knows of a class is made when
`fields`, `asdict` or another of its functions asks for it: `field_names` and `replace` of this
module do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field
from operator import attrgetter
from typing import Any, ClassVar, NoReturn, TypeVar, dataclass_transform

__all__ = ["Shape", "field_names", "frozen", "replace", "shape_of"]

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Methods that the class defines itself are kept."""
    own = vars(cls)
    written = {name: hint for name, hint in cls.__annotations__.items() if not _is_shared(hint)}
    base: Shape | None = getattr(cls, "__shape__", None)
    shape = Shape(cls, {name: own.get(name, MISSING) for name in written}, base)
    replaced = {"__dict__", "__weakref__", *written}
    namespace = {name: value for name, value in own.items() if name not in replaced}
    namespace |= {name: one for name, one in METHODS.items() if namespace.get(name) is None}
    namespace["__slots__"] = tuple(name for name in written if base is None or name not in base.known)
    namespace["__qualname__"] = cls.__qualname__
    namespace["__doc__"] = cls.__doc__ or cls.__name__
    namespace["__match_args__"] = shape.names
    namespace["__shape__"] = shape
    namespace["__dataclass_fields__"] = _Standard()
    namespace["__dataclass_params__"] = _Standard()
    metaclass: Any = type(cls)
    made: Any = metaclass(cls.__name__, cls.__bases__, namespace)
    shape.puts = tuple([(name, getattr(made, name).__set__) for name in shape.names])
    return made  # type: ignore[no-any-return]


def shape_of(of: object) -> Shape:
    """The fields of a frozen value, or of its class."""
    shape: Shape = of.__shape__  # type: ignore[attr-defined]
    return shape


def field_names(of: object) -> tuple[str, ...]:
    """Of a frozen value, or of its class."""
    return shape_of(of).names


def replace(value: T, /, **changes: Any) -> T:
    """A copy of a frozen value with these fields changed."""
    shape = shape_of(value)
    unchanged = zip(shape.names, shape.values_of(value), strict=True)
    return type(value)(**{**dict(unchanged), **changes})


def _is_shared(hint: object) -> bool:
    """Whether the annotation is that of a class variable. Most annotations are texts."""
    text = hint if isinstance(hint, str) else str(hint)
    return text.startswith(("ClassVar", "typing.ClassVar"))


class Shape:
    """The fields of a class, as its methods and the codec of messages need them."""

    puts: tuple[tuple[str, Callable[[Any, Any], None]], ...]
    """For each field its name, and the function that sets it in an object."""

    def __init__(self, cls: type, written: Mapping[str, Any], base: Shape | None) -> None:
        self.title = cls.__name__
        self.written = written
        """The fields of the class itself, with what stands behind them."""
        self.defaults: dict[str, Any] = dict(base.defaults) if base else {}
        self.factories: dict[str, Callable[[], Any]] = dict(base.factories) if base else {}
        self.not_compared: set[str] = set(base.not_compared) if base else set()
        self.not_shown: set[str] = set(base.not_shown) if base else set()
        for name, value in written.items():
            if isinstance(value, Field):
                self._add(name, value)
            elif value is not MISSING:
                self.defaults[name] = value
        self.names: tuple[str, ...] = tuple(dict.fromkeys((*(base.names if base else ()), *written)))
        self.known = frozenset(self.names)
        self.compared = self._without(self.not_compared)
        self.shown = self._without(self.not_shown)
        self.values_of = _values_of(self.names)
        self.afterwards: Callable[[Any], None] | None = getattr(cls, "__post_init__", None)

    def _add(self, name: str, value: Field[Any]) -> None:
        if value.default is not MISSING:
            self.defaults[name] = value.default
        if value.default_factory is not MISSING:
            self.factories[name] = value.default_factory
        if not value.compare:
            self.not_compared.add(name)
        if not value.repr:
            self.not_shown.add(name)

    def _without(self, some: set[str]) -> tuple[str, ...]:
        return tuple([name for name in self.names if name not in some]) if some else self.names

    def completed(self, given: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        """All fields by name, with the defaults of those that were not given.

        Raises TypeError if the arguments do not fit."""
        by_place = dict(zip(self.names, given, strict=False))
        values = {**self.defaults, **by_place, **named}
        for name in self.factories.keys() - values.keys():
            values[name] = self.factories[name]()
        fits = len(given) == len(by_place) and by_place.keys().isdisjoint(named)
        if not fits or values.keys() != self.known:
            raise TypeError(self._complaint(given, by_place.keys() & named.keys(), values.keys()))
        return values

    def _complaint(self, given: tuple[Any, ...], twice: AbstractSet[str], values: AbstractSet[str]) -> str:
        if len(given) > len(self.names):
            return f"{self.title} takes {len(self.names)} values, and {len(given)} were given"
        if twice:
            return f"{self.title} was given {min(twice)!r} twice"
        if unknown := values - self.known:
            return f"{self.title} has no field {min(unknown)!r}, only {', '.join(self.names)}"
        missing = next(name for name in self.names if name not in values)
        return f"{self.title} needs a value for {missing!r}"


def _values_of(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """All fields of an object in one call."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda one: tuple([getattr(one, name) for name in names])


class _Standard:
    """What `dataclasses` keeps in a class, made by its own decorator when it is first needed.

    Several threads may make it: each of them makes the same."""

    def __set_name__(self, cls: type, name: str) -> None:
        self._cls, self._name = cls, name

    def __get__(self, _one: object, _cls: type) -> Any:
        twin = _twin(self._cls)
        for name in ("__dataclass_fields__", "__dataclass_params__"):
            setattr(self._cls, name, getattr(twin, name))
        return getattr(twin, self._name)


def _twin(cls: Any) -> Any:
    """A standard dataclass with the same fields, of which only the description is used."""
    every: dict[str, tuple[object, Any]] = {}
    for one in reversed(cls.__mro__):
        if "__shape__" in vars(one):
            hints = one.__annotations__
            every |= {name: (hints[name], value) for name, value in one.__shape__.written.items()}
    namespace = {name: value for name, (_, value) in every.items() if value is not MISSING}
    namespace["__annotations__"] = {name: hint for name, (hint, _) in every.items()}
    namespace["__module__"] = cls.__module__
    return dataclass(frozen=True, init=False, repr=False, eq=False)(type(cls.__name__, (), namespace))


class _Methods:
    __shape__: ClassVar[Shape]

    def __init__(self, /, *given: Any, **named: Any) -> None:
        shape = self.__shape__
        if given or named.keys() != shape.known:
            named = shape.completed(given, named)
        for name, put in shape.puts:
            put(self, named[name])
        if shape.afterwards is not None:
            shape.afterwards(self)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__shape__.compared)

    def __hash__(self) -> int:
        return hash(tuple([getattr(self, name) for name in self.__shape__.compared]))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__shape__.shown)
        return f"{type(self).__qualname__}({shown})"

    def __setattr__(self, name: str, _value: object) -> NoReturn:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __replace__(self, /, **changes: Any) -> Any:
        return replace(self, **changes)

    def __getstate__(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self.__shape__.names])

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        for name, value in zip(self.__shape__.names, state, strict=True):
            object.__setattr__(self, name, value)


METHODS = {name: value for name, value in vars(_Methods).items() if callable(value)}
