"""Finds settings of a profile that its driver does not use, and that would have no effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from clusterlib.drivers.kind import NodeKind
from clusterlib.profiles.layers import Layer
from clusterlib.profiles.origins import Mistake
from clusterlib.profiles.vocabulary import Vocabulary, uses_setting
from clusterlib.values.sources import ValueSource

__all__ = ["unused_settings"]


def unused_settings(layers: Sequence[Layer], driver: str, vocabulary: Vocabulary) -> Iterator[Mistake]:
    """The settings of these files that `driver` does not use, by their lines.

    A file is also correct if its settings belong to the driver that it had when it was written,
    because a profile that extends it may choose another one. `[tool.clusterlib]` applies to the
    profiles of all drivers, unless it sets a driver itself."""
    current, said = "python", False
    for layer in layers:
        if "driver" in layer.tree:
            current, said = str(layer.tree["driver"]), True
        kinds = [vocabulary.kind_named(name) for name in (current, driver)]
        if layer.source not in {ValueSource.PROFILE, ValueSource.PYPROJECT} or None in kinds:
            continue
        if layer.for_all and "driver" not in layer.tree:
            continue
        for path, users in _idle(layer.tree, [kind for kind in kinds if kind], vocabulary):
            yield Mistake(
                f"has no effect: {_named(users)} {'uses' if len(users) == 1 else 'use'} it, "
                f"and this is a profile of driver {driver}",
                "leave it out"
                + (f', or write driver = "{users[0]}"' if said else f', or add driver = "{users[0]}"'),
                ".".join(path),
                layer.origin(path),
            )


def _idle(
    tree: Mapping[str, object], kinds: Sequence[NodeKind], vocabulary: Vocabulary
) -> Iterator[tuple[tuple[str, ...], Sequence[str]]]:
    """Each table that none of these kinds uses, and each setting of the other tables."""
    for name, value in tree.items():
        if not isinstance(value, Mapping) or not value:
            continue
        if not any(uses_setting(kind, name) for kind in kinds):
            if users := vocabulary.drivers_with(name):
                yield (name,), users
            continue
        for key in value:
            if not any(uses_setting(kind, name, key) for kind in kinds):
                yield (name, key), vocabulary.drivers_with(name, key)


def _named(drivers: Sequence[str]) -> str:
    return f"driver {drivers[0]}" if len(drivers) == 1 else f"drivers {' and '.join(drivers)}"
