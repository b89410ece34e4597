"""What becomes of one test, put together from pytest's reports of its three phases."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clusterlib.artifacts.explained import Explained
from clusterlib.client.cluster import Cluster
from clusterlib.doors.testing.explaining import explain

__all__ = ["Told"]

LONGEST_MESSAGE = 4000


class Told:
    def __init__(self, item: pytest.Item, project: Path) -> None:
        self.began = datetime.now(UTC)
        """From when on what its cluster says belongs to it."""
        self.outcome = "passed"
        self.cluster: Cluster | None = None
        self.again = False
        """Whether it has failed in this run before, and is run once more."""
        self._test = item.nodeid
        self._file = os.path.relpath(item.path, project)
        _, line, _ = item.location
        self._line = None if line is None else line + 1
        self._started = self.began
        self._served: datetime | None = None
        self._message = ""
        self._explained: Explained | None = None
        self._project = project
        self._path = item.path
        self._seconds = 0.0

    @property
    def bad(self) -> bool:
        return self.outcome in ("failed", "error")

    def uses(self, cluster: Cluster) -> None:
        """It has its turn from now on; what was done to make the cluster ready for it is not its doing."""
        self.cluster = cluster
        self.began = self._served = datetime.now(UTC)

    def has_its_own(self, cluster: Cluster) -> None:
        """It has started this one for itself; where it uses no other, this is the one it is told with."""
        if self.cluster is None:
            self.cluster = cluster

    def clusters(self, own: Iterable[Cluster]) -> list[Cluster]:
        """All that it used. `own`: those that were started for it alone."""
        return list(dict.fromkeys([*([self.cluster] if self.cluster else []), *own]))

    def begins(self) -> dict[str, Any]:
        """The record `test.started`: all that is known, should the test end this process."""
        return {"test": self._test, "file": self._file, "line": self._line, **self.where()}

    def where(self) -> dict[str, str | None]:
        cluster = self.cluster
        return {
            "cluster": cluster.name if cluster else None,
            "run": str(cluster.run_folder.path) if cluster else None,
        }

    def take(self, report: pytest.TestReport, raised: pytest.ExceptionInfo[BaseException] | None) -> None:
        self._seconds += report.duration
        if report.failed and not self.bad:
            self.outcome = "failed" if report.when == "call" else "error"
            self._explain(report)
            with contextlib.suppress(Exception):  # a failure that cannot be explained is one failure, not two
                self._explained = explain(report, raised, self._project, self._path)
        elif report.skipped and self.outcome == "passed":
            self.outcome = "skipped"
            self._message = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""

    def facts(self) -> dict[str, Any]:
        """The record `test.ended`."""
        return {
            "test": self._test,
            "outcome": self.outcome,
            "seconds": round(self._seconds, 6),
            "message": self._message[:LONGEST_MESSAGE],
            "explained": self._explained.to_record() if self._explained else None,
            "file": self._file,
            "line": self._line,
            **self.where(),
            "began": _stamp(self._started),
            "served": _stamp(self._served) if self._served else None,
        }

    def _explain(self, report: pytest.TestReport) -> None:
        crash = getattr(report.longrepr, "reprcrash", None)
        self._message = crash.message if crash is not None else str(report.longrepr)
        entries = getattr(getattr(report.longrepr, "reprtraceback", None), "reprentries", ())
        for entry in entries:  # the innermost line of the test's own file is where an editor should open
            place = getattr(entry, "reprfileloc", None)
            if place is not None and Path(place.path).name == Path(self._file).name:
                self._line = place.lineno


def _stamp(time: datetime) -> str:
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")
