"""Which tests are requested by `-m`: all that it selects if a marker of clusterlib alone satisfies
it; else those that it selects only because of such a marker."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pytest
from _pytest.mark.expression import Expression

from clusterlib.testing.declared import MARKERS

__all__ = ["asked_for"]


class _Marks:
    """Answers for one test which markers it has, those of ours left out if so wished."""

    def __init__(self, marks: Sequence[pytest.Mark], without: Collection[str] = ()) -> None:
        self._marks = [mark for mark in marks if mark.name not in without]

    def __call__(self, name: str, /, **kwargs: object) -> bool:
        return any(
            mark.name == name
            and all(key in mark.kwargs and mark.kwargs[key] == value for key, value in kwargs.items())
            for mark in self._marks
        )


def asked_for(items: Sequence[pytest.Item], text: str) -> list[pytest.Item]:
    """`-m "not slow"` selects distributed tests, too, but does not request them; `-m "distributed
    and not slow"` does, and so does `-m "slow or distributed"`."""
    if not text.strip():
        return []
    expression = Expression.compile(text)  # pytest has evaluated it before, so it is valid
    if not expression.evaluate(_only(None)) and any(expression.evaluate(_only(name)) for name in MARKERS):
        return list(items)
    return [item for item in items if _is_asked_for(item, expression)]


def _only(name: str | None) -> _Marks:
    """A test that has no marker but this one."""
    return _Marks([] if name is None else [getattr(pytest.mark, name).mark])


def _is_asked_for(item: pytest.Item, expression: Expression) -> bool:
    marks = list(item.iter_markers())
    return expression.evaluate(_Marks(marks)) and not expression.evaluate(_Marks(marks, MARKERS))
