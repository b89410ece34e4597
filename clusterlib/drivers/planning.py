"""What a driver makes of a profile, in the process that makes the plan: the keeper does not read
profiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.frozen import frozen
from clusterlib.messages.plan import CodeSources, NoCode
from clusterlib.values.sources import ValueSource

if TYPE_CHECKING:
    from clusterlib.profiles import ResolvedProfile

__all__ = ["CodeContext", "Planned"]


@frozen
class CodeContext:
    """The input with which a kind of node finds its code."""

    resolved: ResolvedProfile
    project: Path
    programs: Mapping[str, Path]
    """The path of each program that the profile needs."""
    roots: tuple[str, ...]
    """The folders of the project's Python code."""
    templates: Callable[[], Mapping[str, Path]]
    """Finds the templates of the nodes' files, by file name."""
    left_out: Callable[[], NoCode]
    """Finds files of the project that are not code of its nodes, such as its tests."""

    @property
    def chosen_roots(self) -> tuple[str, ...]:
        """The folders of Python code that a profile names; empty for the default."""
        return () if self.resolved.origin("python.path").source == ValueSource.DEFAULT else self.roots


@frozen
class Planned:
    """The input for the settings of a driver."""

    resolved: ResolvedProfile
    project: Path
    programs: Mapping[str, Path]
    """The path of each program that the profile needs."""
    sources: CodeSources
