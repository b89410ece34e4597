"""What `nox` runs. Without arguments: everything a change must pass. `nox -l` tells the rest."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nox

sys.path.insert(
    0, str(Path(__file__).parent)
)  # clusterlib is this checkout, wherever nox itself is installed

from clusterlib.nox import distributed_sessions

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = False

# Else each of the thousands of processes that the tests start compiles this checkout anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

ARTIFACTS = "artifacts"
WORKERS = os.environ.get("TEST_WORKERS", "4")
PARALLEL = ("-n", WORKERS, "--maxschedchunk=4", "--hypothesis-profile=ci")
"""The same examples for the same commit; `pytest` by hand looks for new ones."""
EVERYTHING = ("tests/docs", "tests/systems", "tests/functional", "tests/contract", "tests/unit")
"""Those that take long come first, so that no worker is left alone with them at the end."""
DOORS = (
    "tests/unit/doors",
    "tests/unit/test_rendering.py",
    "tests/unit/profiles",
    "tests/functional/tasks",
)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types and architecture: ruff, mypy strict, import contracts."""
    session.install("-e", ".[test,lint]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports", "--no-cache")


@nox.session
def tests(session: nox.Session) -> None:
    """Unit, contract and functional tests, in parallel. Arguments go to pytest."""
    session.install("-e", ".[test,plugins,systems]")
    session.run(
        "pytest",
        *PARALLEL,
        f"--junitxml={ARTIFACTS}/tests/junit.xml",
        *(session.posargs or ("-m", "not lab", *EVERYTHING)),
    )


@nox.session(default=False)
def lab(session: nox.Session) -> None:
    """The tests that `tests` leaves out because they take long. Arguments go to pytest."""
    session.install("-e", ".[test,plugins,systems]")
    session.run(
        "pytest",
        *PARALLEL,
        f"--junitxml={ARTIFACTS}/lab/junit.xml",
        *("-m", "lab", *(session.posargs or EVERYTHING)),
    )


@nox.session(default=False, venv_backend="none")
def debian13(session: nox.Session) -> None:
    """The tests on Debian 13, with its Python and its servers, in a system that is made once; as
    root. Arguments go to pytest."""
    inside = (".ci/debian13", str(Path(session.cache_dir, "debian13").resolve()))
    session.run(
        *inside, "python", "-m", "pip", "install", "--quiet", "-e", ".[test,plugins,systems]", external=True
    )
    session.run(
        *(*inside, "pytest", *PARALLEL),
        f"--junitxml={ARTIFACTS}/debian13/junit.xml",
        *(session.posargs or EVERYTHING),
        env={"REQUIRE_SYSTEMS": "1"},
        external=True,
    )


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """The tests of the doors, with the lowest versions of everything that pyproject.toml allows."""
    project = nox.project.load_toml("pyproject.toml")["project"]
    extras = project["optional-dependencies"]
    declared = [*project["dependencies"], *extras["nox"], *extras["web"], *extras["test"]]
    # By its name alone, pip would look for clusterlib on an index. The others are not used by these
    # tests, and want later versions of what clusterlib itself needs.
    left_out = ("clusterlib[", "mcp>", "openapi-spec-validator>", "schemathesis>")
    wanted = [one.replace(">=", "==") for one in declared if not one.startswith(left_out)]
    session.install("-e", ".", *wanted)
    session.run("pytest", *PARALLEL, *(session.posargs or DOORS))


# The tests that a profile serves, on clusters of that profile; as in any project, see docs/ci.md.
distributed_sessions()


@nox.session
def packaging(session: nox.Session) -> None:
    """Builds the wheel, installs it into an empty environment in an empty folder, and runs a
    cluster from it."""
    session.install("build", "hatchling", "pytest")
    session.run("pytest", "tests/packaging", *session.posargs)


@nox.session
def chaos(session: nox.Session) -> None:
    """Kills runners, keepers and nodes at random, and looks for what is left.

    `nox -s chaos -- --rounds 50 --seed 7`."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "tests.chaos", *(session.posargs or ["--rounds", "5"]))


@nox.session(default=False)
def again(session: nox.Session) -> None:
    """Runs everything N times and stops at the first failure: `nox -s again -- 10`, or `-- 5 --load
    8`."""
    session.install("-e", ".[test,plugins,systems]")
    session.run("python", "-m", "tests.again", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measures the bars, each beside its bare minimum in the same run; writes a table and JSON to
    artifacts/bench."""
    session.install("-e", ".[test,bench]")
    session.run("python", "-m", "bench", *session.posargs)
