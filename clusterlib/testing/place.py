"""The place of a run, and of its evidence.

Used at the start of every parallel run, which may have no distributed tests. So this imports only
what is needed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clusterlib.evidence.home import next_report
from clusterlib.profiles.project import find_project

__all__ = ["choose", "place_of", "project_of", "worker_of"]


def project_of(config: pytest.Config) -> Path:
    given = os.environ.get("CLUSTERLIB_PROJECT")
    return Path(given).resolve() if given else find_project(config.rootpath)


def worker_of(config: pytest.Config) -> str:
    """The name of this worker of pytest-xdist; "main" without workers."""
    given = getattr(config, "workerinput", None)
    return str(given["workerid"]) if given else "main"


def place_of(config: pytest.Config) -> Path:
    """The place of the evidence of this process: that of its run."""
    given = getattr(config, "workerinput", None)
    return Path(given["clusterlib"]) if given else choose(config)


def choose(config: pytest.Config) -> Path:
    """The place for this run.

    Nothing is created before something is written; a requested folder is claimed."""
    asked = config.option.cluster_artifacts
    if asked:
        from clusterlib.testing.folder import ReportFolder

        return ReportFolder.claim(config.invocation_params.dir / asked)
    return next_report(project_of(config))
