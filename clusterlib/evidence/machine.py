"""The environment of a run: Python, system, versions, CI, and the variables that configure
clusterlib. Without secrets."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import field
from functools import cache

from clusterlib.evidence.evidence import Evidence
from clusterlib.evidence.records import MachineFacts, RunStarted
from clusterlib.evidence.redaction import MARK, Redactor, is_secret
from clusterlib.frozen import frozen
from clusterlib.messages.codec import plain, salvage

__all__ = ["Environment", "describe_environment"]

PACKAGES = (
    "clusterlib", "cloudpickle", "invoke", "jinja2", "junit-xml", "nox", "psutil", "pytest",
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


@frozen
class Environment:
    """The environment of a run."""

    argv: tuple[str, ...] = ()
    project: str = ""
    python: str = ""
    clusterlib: str = ""
    machine: MachineFacts = MachineFacts()
    executable: str = ""
    platform: str = ""
    processors: int | None = None
    packages: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


def describe_environment(evidence: Evidence, redactor: Redactor, environ: Mapping[str, str]) -> Environment:
    started = evidence.start.what if evidence.start else RunStarted()
    found = Environment(
        started.argv,
        started.project,
        started.python or platform.python_version(),
        started.clusterlib,
        started.machine,
        sys.executable,
        platform.platform(),
        os.cpu_count(),
        _versions(),
        _variables(environ, redactor),
    )
    return salvage(Environment, redactor.value(plain(found)))


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
