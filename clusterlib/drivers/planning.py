"""What a driver makes of a profile, in the process that makes the plan: the keeper does not read profiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.frozen import frozen
from clusterlib.messages.plan import CodeSources, NoCode

if TYPE_CHECKING:
    from clusterlib.profiles import ResolvedProfile

__all__ = ["CodeContext", "Planned"]


@frozen
class CodeContext:
    """What a kind of node is given to say where its code is."""

    resolved: ResolvedProfile
    project: Path
    programs: Mapping[str, Path]
    """Where each program is that the profile needs."""
    roots: tuple[str, ...]
    """The folders of the project's Python code."""
    templates: Callable[[], Mapping[str, Path]]
    """Finds the templates of the nodes' files, by the names of these."""
    left_out: Callable[[], NoCode]
    """Finds what of the project is no code of its nodes, such as its tests."""

    @property
    def chosen_roots(self) -> tuple[str, ...]:
        """The folders of Python code, where a profile says which these are; none where they are the default."""
        return () if self.resolved.origin("python.path").source == "default" else self.roots


@frozen
class Planned:
    """What the settings of a driver are made of."""

    resolved: ResolvedProfile
    project: Path
    programs: Mapping[str, Path]
    """Where each program is that the profile needs."""
    sources: CodeSources
