"""Which operations a caller that is not a person may carry out: those that only look, unless the
person who starts its door allows more."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from clusterlib.errors import AccessRefused
from clusterlib.frozen import frozen
from clusterlib.messages.effects import Effect
from clusterlib.operations.listing import ListedOperation

__all__ = ["Permissions"]


@frozen
class Permissions:
    allowed: frozenset[Effect] = frozenset({Effect.READ})

    @staticmethod
    def also(effects: Iterable[Effect]) -> Permissions:
        """Looking is always allowed."""
        return Permissions(frozenset({Effect.READ, *effects}))

    def allow(self, one: ListedOperation) -> bool:
        return one.effect in self.allowed

    def check(self, one: ListedOperation, how: Callable[[Effect], str]) -> None:
        """Raises AccessRefused. `how`: what a person does to allow this effect at this door."""
        if not self.allow(one):
            raise AccessRefused(
                f"{one.full_name} is not allowed here",
                cause=f"its effect is {one.effect}, and this door was started for "
                + ", ".join(sorted(self.allowed)),
                remedies=[how(one.effect)],
            )
