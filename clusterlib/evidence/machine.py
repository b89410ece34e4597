"""Where a run took place: Python, system, versions, CI, and the variables that steer clusterlib. Without secrets."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

from clusterlib.evidence.evidence import Evidence
from clusterlib.evidence.redaction import MARK, Redactor, is_secret

__all__ = ["describe_environment"]

PACKAGES = (
    "clusterlib", "cloudpickle", "invoke", "jinja2", "junit-xml", "nox", "psutil", "pydantic-core", "pytest",
    "pytest-asyncio", "pytest-timeout", "pytest-xdist", "rich",
)  # fmt: skip
PREFIXES = (
    "CLUSTERLIB_",
    "GITHUB_",
    "GITLAB_",
    "CI_",
    "RUNNER_",
    "BUILDKITE_",
    "CIRCLE",
    "JENKINS_",
    "BUILD_",
    "PYTEST_",
)
NAMES = (
    "CI",
    "LANG",
    "LC_ALL",
    "TZ",
    "NODE_NAME",
    "JOB_NAME",
    "EXECUTOR_NUMBER",
    "PYTHONPATH",
    "PYTHONHASHSEED",
    "VIRTUAL_ENV",
)


def describe_environment(
    evidence: Evidence, redactor: Redactor, environ: Mapping[str, str]
) -> dict[str, Any]:
    started = evidence.start
    told = {key: started.get(key) for key in ("argv", "project", "python", "clusterlib", "machine")}
    described: dict[str, Any] = {
        **told,
        "python": told["python"] or platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "packages": _versions(),
        "variables": _variables(environ, redactor),
    }
    redacted: dict[str, Any] = redactor.value(described)
    return redacted


def _variables(environ: Mapping[str, str], redactor: Redactor) -> dict[str, str]:
    chosen = sorted(name for name in environ if name.startswith(PREFIXES) or name in NAMES)
    return {name: MARK if is_secret(name) else redactor.text(environ[name]) for name in chosen}


@cache
def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
