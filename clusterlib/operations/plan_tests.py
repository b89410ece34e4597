"""Ask pytest which tests need which clusters. Nothing is started."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clusterlib.client.start import project_folder
from clusterlib.frozen import frozen
from clusterlib.hosts.launch import run_command
from clusterlib.operations.declaring import Caller, operation
from clusterlib.operations.parameters import ProfileName
from clusterlib.operations.result import Result

__all__ = ["PlannedTests", "plan_tests"]


@frozen
class PlannedTests(Result):
    command: tuple[str, ...]
    exit_code: int
    """That of pytest."""
    plan: Mapping[str, Any] | None
    """The schedule, if it was requested and pytest could make one."""

    @property
    def exit_status(self) -> int:
        return self.exit_code


@operation(effect="execute", group="test", name="plan")
def plan_tests(caller: Caller, *arguments: str, profile: ProfileName | None = None) -> PlannedTests:
    """Show which tests need which clusters, and start none. What follows `--` goes to pytest.

    Only pytest knows which tests remain after `-k`, `-m` and paths, so pytest makes the plan."""
    folder = project_folder(caller.project)
    words = [sys.executable, "-m", "pytest", "--cluster-plan"]
    if profile:
        words.append(f"--cluster-profile={profile}")
    if not caller.structured:
        words += arguments
        return PlannedTests(tuple(words), run_command(words, directory=folder), None)
    with tempfile.TemporaryDirectory(prefix="clusterlib-plan-") as scratch:
        file = Path(scratch, "plan.json")
        words += [f"--cluster-plan-to={file}", *arguments]
        code = run_command(words, directory=folder)
        plan = json.loads(file.read_text()) if file.exists() else None
    return PlannedTests(tuple(words), code, plan)
