"""What a person or a log of CI is shown of nodes, without their secrets."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, TypeVar

from clusterlib.client.start import cluster_name, project_folder
from clusterlib.errors import ClusterError
from clusterlib.evidence.redaction import Redactor, redactor_for
from clusterlib.messages.codec import plain, revive
from clusterlib.rundir.folders import latest_run

__all__ = ["shown", "shown_value", "without_secrets"]

R = TypeVar("R")


def shown(error: ClusterError, name: str | None = None, *, project: Path | str | None = None) -> ClusterError:
    """The same error without the secrets of this environment and of the last run of that cluster.

    Its evidence is output of a node, often a traceback with values in it."""
    cleaned = _redactor(name, project).value(error.to_dict())
    return ClusterError.from_dict({**cleaned, "code": error.code})


def without_secrets(result: R, name: str, *, project: Path | str | None = None) -> R:
    """The same result, whose texts come out of a node, without those secrets."""
    cleaned: R = revive(type(result), _redactor(name, project).value(plain(result)))
    return cleaned


def shown_value(value: Any, name: str | None = None, *, project: Path | str | None = None) -> Any:
    """The same for data, and for a text."""
    return _redactor(name, project).value(value)


def _redactor(name: str | None, project: Path | str | None) -> Redactor:
    runs: list[Path] = []
    with contextlib.suppress(ClusterError, OSError):
        run = latest_run(project_folder(project), cluster_name(name))
        runs += [run.path] if run else []
    return redactor_for(runs, os.environ)
