from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from clusterlib.machine.facts import Machine
from clusterlib.profiles import Mistake, ResolvedProfile, check_profile, load_profile


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "profiles").mkdir()
    return tmp_path


@pytest.fixture
def write(project: Path) -> Callable[[str, str], Path]:
    """Writes a profile of the project."""

    def written(name: str, text: str) -> Path:
        path = project / "profiles" / f"{name}.toml"
        path.write_text(text)
        return path

    return written


@pytest.fixture
def machine() -> Machine:
    """Large enough that nothing has to give way."""
    return Machine(ci=None, cpus=8.0, memory=16 * 2**30)


@pytest.fixture
def load(project: Path, machine: Machine) -> Callable[..., ResolvedProfile]:
    """Loads a profile, untouched by the environment and the machine that the test runs on."""

    def loaded(
        name: str,
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, object] | None = None,
        on: Machine = machine,
        resolver: Callable[[str], str | None] = lambda _: None,
    ) -> ResolvedProfile:
        return load_profile(
            name, project=project, environ=environ or {}, overrides=overrides, machine=on, resolver=resolver
        )

    return loaded


@pytest.fixture
def mistakes(project: Path, machine: Machine) -> Callable[..., list[Mistake]]:
    def found(
        name: str, environ: Mapping[str, str] | None = None, overrides: Mapping[str, object] | None = None
    ) -> list[Mistake]:
        return check_profile(
            name, project=project, environ=environ or {}, overrides=overrides, machine=machine
        )

    return found
