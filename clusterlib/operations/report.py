"""Make the report of a test run anew, from the evidence that was written while it ran."""

from __future__ import annotations

import time
from pathlib import Path

from clusterlib.client.start import project_folder
from clusterlib.errors import UsageError
from clusterlib.evidence.artifacts import RECORDS, REPORT
from clusterlib.evidence.home import REPORTS, reports_of
from clusterlib.evidence.reporting import finish
from clusterlib.frozen import frozen
from clusterlib.operations.declaring import Caller, operation
from clusterlib.operations.parameters import ReportOf
from clusterlib.operations.result import Result
from clusterlib.remedies import do

__all__ = ["Reported", "make_report"]


@frozen
class Reported(Result):
    folder: str
    report: str
    files: tuple[str, ...]
    """What the folder has at its top."""
    seconds: float


@operation(effect="change", group="test", name="report")
def make_report(caller: Caller, folder: ReportOf | None = None) -> Reported:
    """Make the report of a test run from its artifacts, whatever became of the run."""
    began = time.monotonic()
    chosen = Path(folder).absolute() if folder else _latest(project_folder(caller.project))
    if not RECORDS.in_(chosen).is_dir():
        raise UsageError(
            f"{chosen} holds no evidence of a test run",
            cause=f"a folder of artifacts has a folder {RECORDS.label}, which is written while the tests run",
            remedies=["pytest --distributed --cluster-artifacts=artifacts"],
        )
    finish(chosen, junit=True)
    files = tuple(sorted(path.name for path in chosen.glob("[!.]*") if path.is_file()))
    return Reported(str(chosen), str(REPORT.in_(chosen)), files, round(time.monotonic() - began, 4))


def _latest(project: Path) -> Path:
    found = [path for path in reports_of(project) if RECORDS.in_(path).is_dir()]
    if not found:
        raise UsageError(
            f"no test run of {project} has left artifacts yet",
            cause=f"a run with a failure leaves them in {REPORTS}; "
            'others do with --cluster-artifacts, or [tests] artifacts = "always" in the profile',
            remedies=["pytest --distributed --cluster-artifacts=artifacts", do("test.report", "artifacts")],
        )
    return found[-1]
