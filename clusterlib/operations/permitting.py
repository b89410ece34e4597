"""Which operations a caller that is not a person may carry out, and with which values: those that
only look, unless the person who starts its door allows more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from clusterlib.errors import AccessRefused
from clusterlib.frozen import frozen
from clusterlib.messages.effects import Effect
from clusterlib.operations.listing import ListedOperation

__all__ = ["Permissions"]

HowToAllow = Callable[[Effect], str]
"""What a person does to allow an effect at this door."""
PROFILES = "profiles"
"""What a parameter completes whose value is a profile."""


@frozen
class Permissions:
    allowed: frozenset[Effect] = frozenset({Effect.READ})

    @staticmethod
    def also(effects: Iterable[Effect]) -> Permissions:
        """Looking is always allowed."""
        return Permissions(frozenset({Effect.READ, *effects}))

    def allow(self, one: ListedOperation) -> bool:
        return one.effect in self.allowed

    def check(self, one: ListedOperation, how: HowToAllow) -> None:
        """Raises AccessRefused."""
        if not self.allow(one):
            problem, because = f"{one.full_name} is not allowed here", f"its effect is {one.effect}"
            raise self._refusal(problem, because, one.effect, how)

    def check_values(self, one: ListedOperation, values: Mapping[str, object], how: HowToAllow) -> None:
        """Raises AccessRefused for a profile that is a file of the caller: a profile names programs
        and modules that run."""
        if Effect.EXECUTE in self.allowed:
            return
        from clusterlib.profiles.catalogue import is_path

        for each in one.parameters:
            if each.completes == PROFILES and any(map(is_path, _texts(values.get(each.name)))):
                raise self._refusal(
                    f"{each.name} of {one.full_name} must be the name of a profile here, not a path",
                    f"a file of a profile runs code, which is the effect {Effect.EXECUTE}",
                    Effect.EXECUTE,
                    how,
                )

    def _refusal(self, problem: str, because: str, needed: Effect, how: HowToAllow) -> AccessRefused:
        allowed = ", ".join(sorted(self.allowed))
        return AccessRefused(
            problem, cause=f"{because}, and this door was started for {allowed}", remedies=[how(needed)]
        )


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    return [one for one in values if isinstance(one, str)]
