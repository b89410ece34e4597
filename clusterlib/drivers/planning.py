"""What a driver makes of a profile, in the process that makes the plan: the keeper does not read profiles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.frozen import frozen
from clusterlib.messages.plan import CodeSources

if TYPE_CHECKING:
    from clusterlib.profiles import ResolvedProfile

__all__ = ["Planned"]


@frozen
class Planned:
    """What the settings of a driver are made of."""

    resolved: ResolvedProfile
    project: Path
    programs: Mapping[str, Path]
    """Where each program is that the profile needs."""
    sources: CodeSources
