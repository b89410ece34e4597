"""What a run of tests gives its caller to show: the plan before the first test, and the summary
after the last one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import pytest

from clusterlib.evidence.records import ScheduleRecorded
from clusterlib.frozen import frozen
from clusterlib.testing.tally import Tally

__all__ = ["RunPlan", "RunSummary", "TestRun"]


@frozen
class RunPlan:
    schedule: ScheduleRecorded
    whole: bool = False
    """Every test is to be named: the plan is all that this run does."""
    each_worker: bool = False
    """Every worker process has its own clusters."""
    notes: Sequence[str] = ()


@frozen
class RunSummary:
    tally: Tally
    notes: Sequence[str] = ()
    annotations: Sequence[str] = ()
    """Lines of which GitHub makes annotations."""


class TestRun(Protocol):
    """What the plugin needs from a run of any kind."""

    @property
    def shown_plan(self) -> RunPlan | None: ...

    @property
    def summary(self) -> RunSummary | None: ...

    def begin_tests(self) -> None:
        """The first test is about to run."""
        ...

    def before(self, item: pytest.Item) -> None:
        """This test is about to run: it gets what it needs, or is skipped or failed."""
        ...

    def finishing(self, session: pytest.Session) -> AbstractContextManager[None]:
        """Around the end of the session."""
        ...
