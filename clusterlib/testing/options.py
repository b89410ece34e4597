"""Makes the settings of the run from the command line, the environment, and pytest's configuration
file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from clusterlib.errors import ClusterError, ProfileError
from clusterlib.frozen import frozen
from clusterlib.leases.settings import Settings
from clusterlib.testing.declared import INI
from clusterlib.values.sources import ValueSource

if TYPE_CHECKING:
    from clusterlib.machine.facts import Machine
    from clusterlib.profiles import ResolvedProfile
    from clusterlib.profiles.model import Tests

__all__ = ["RunOptions", "read_options", "usage_error"]

LINGER = 300.0
"""Seconds that clusters live on with --cluster-linger, if the profile has no value."""


@frozen
class RunOptions:
    """What holds for this run, from the command line, the environment and configuration files."""

    project: Path
    settings: Settings
    tests: Tests
    """The settings of the run's profile for tests."""
    machine: Machine


def read_options(config: pytest.Config, project: Path) -> RunOptions:
    """Raises pytest.UsageError for invalid options, before anything is started."""
    option = config.option
    said = _ini(config)
    profile = (
        option.cluster_profile or os.environ.get("CLUSTERLIB_PROFILE") or said.pop("cluster_profile", None)
    )
    said.pop("cluster_profile", None)
    overrides: dict[str, object] = {
        f"tests.{name.removeprefix('cluster_')}": value
        for name, value in said.items()
        if not os.environ.get(f"CLUSTERLIB_TESTS_{name.removeprefix('cluster_')}".upper())
    }
    if option.cluster_size is not None:
        overrides["nodes.count"] = option.cluster_size
    settings = Settings(profile=profile, overrides=overrides)
    try:
        resolved = _resolve(settings, project)
    except ClusterError as error:
        raise usage_error(_explained(error, config, settings, project, said)) from error
    if option.cluster_linger and not resolved.values.linger:
        overrides["linger"] = LINGER
    return RunOptions(project, settings, resolved.values.tests, resolved.machine)


def usage_error(error: ClusterError) -> pytest.UsageError:
    return pytest.UsageError(str(error))


def _resolve(settings: Settings, project: Path) -> ResolvedProfile:
    from clusterlib.profiles import default_profile, load_profile

    name = settings.profile or default_profile(project)
    return load_profile(name, project=project, overrides=settings.overrides)


def _ini(config: pytest.Config) -> dict[str, Any]:
    """The settings in pytest's configuration file, by name."""
    said: dict[str, Any] = {}
    for name in INI:
        try:
            value = config.getini(name)
        except (ValueError, TypeError, pytest.UsageError) as error:
            raise pytest.UsageError(f"{name} in pytest's configuration: {error}") from error
        if value is not None and value not in ("", []):
            said[name] = value
    return said


def _explained(
    error: ClusterError,
    config: pytest.Config,
    settings: Settings,
    project: Path,
    said: Mapping[str, Any],
) -> ClusterError:
    """The same with pytest's names for its settings.

    A profile considers all of them part of the command line."""
    from clusterlib.profiles import check_profile, default_profile

    if not isinstance(error, ProfileError) or not error.evidence:
        return error
    file = config.inipath.name if config.inipath else "pytest's configuration"
    name = settings.profile or default_profile(project)
    evidence = []
    for mistake in check_profile(name, project=project, overrides=settings.overrides):
        ini = f"cluster_{mistake.field.removeprefix('tests.').partition('[')[0]}"
        ours = (
            mistake.origin is not None and mistake.origin.source == ValueSource.COMMAND_LINE and ini in said
        )
        evidence.append(f"{file}: {ini}: {mistake.problem}; {mistake.right}" if ours else str(mistake))
    return ProfileError(error.problem, cause=error.cause, evidence=evidence)
