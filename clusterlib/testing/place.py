"""Where a run is, and where its evidence is going to be. It is asked at the start of every parallel run, which may have no
distributed test at all: so this imports nothing that is not needed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from clusterlib.evidence.home import REPORTS
from clusterlib.profiles.project import find_project

__all__ = ["choose", "project_of"]


def project_of(config: pytest.Config) -> Path:
    given = os.environ.get("CLUSTERLIB_PROJECT")
    return Path(given).resolve() if given else find_project(config.rootpath)


def choose(config: pytest.Config) -> Path:
    """A place for this run. Nothing is made there before something is to be written; a folder that was asked for is claimed."""
    asked = config.option.cluster_artifacts
    if asked:
        from clusterlib.testing.folder import ReportFolder

        return ReportFolder.claim(config.invocation_params.dir / asked)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    return project_of(config) / REPORTS / f"{stamp}-{os.getpid()}"
