"""Nox sessions. In a project's own noxfile.py:

    from clusterlib.doors.nox import distributed_sessions

    distributed_sessions()

`nox -s distributed` then runs a session for each profile that has `[tests]`. If no profile has
them, it runs the tests that pytest finds by itself, on clusters of the default profile. Each
session leaves its evidence in `artifacts/distributed-<profile>/`.

This module imports only what an installation of Nox has, because the noxfile is read for every
session. clusterlib's own dependencies are needed only where the tests run."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import nox

from clusterlib.profiles.catalogue import list_profiles
from clusterlib.profiles.project import find_project
from clusterlib.profiles.served import ServedTests, profiles_with_tests, served_by
from clusterlib.remedies import do

__all__ = ["distributed_sessions", "session_folder"]

Install = Sequence[str] | Callable[[nox.Session], object]

TIDY_UP = 30.0
"""Seconds that pytest has, after Ctrl-C, to end its clusters.

Nox itself would wait only a third of a second."""

NOT_TESTS_AFTER = frozenset(
    [
        "-c",
        "--config-file",
        "--rootdir",
        "--confcutdir",
        "--ignore",
        "--deselect",
        "--basetemp",
        "--junitxml",
        "--junit-xml",
        "-k",
        "-m",
        "-n",
        "-o",
        "-p",
        "-r",
        "-W",
    ]
)
"""Options of pytest whose value may look like a path without selecting tests."""


def distributed_sessions(
    *,
    install: Install = ("-e", ".[test]"),
    profiles: Sequence[str] | None = None,
    artifacts: str | os.PathLike[str] = "artifacts",
    python: str | Sequence[str] | bool | None = None,
    name: str = "distributed",
    **options: Any,
) -> None:
    """Registers the session `distributed`, parametrized by profile. To run one of them:
    `nox -s "distributed(profile='ci-small')"`.

    `install` is passed to `session.install`, or is a function that prepares the session. If it is
    empty, nothing is installed.

    `profiles` names the profiles. By default these are the ones that name tests in this project,
    or else the default profile. CLUSTERLIB_PROFILE, which a CI job sets, selects one of them.

    Further options are those of `nox.session`. Arguments after `--` go to pytest."""
    project = find_project(Path.cwd())
    served = {one.profile: one for one in _chosen(project, profiles)}
    several = isinstance(python, Sequence) and not isinstance(python, str) and len(python) > 1

    @nox.session(name=name, python=python, **options)
    @nox.parametrize("profile", list(served))
    def distributed(session: nox.Session, profile: str) -> None:
        """Distributed tests, on clusters of that profile; leaves artifacts/distributed-PROFILE."""
        tests = served[profile]
        _check(session, tests, project)
        prefix = f"{name}-{session.python}" if several else name
        folder = Path(artifacts) / session_folder(profile, prefix)
        _install(session, install)
        _prepare(folder)
        try:
            _run(session, tests, folder, project)
        finally:
            _finish(session, folder)


def session_folder(profile: str, prefix: str = "distributed") -> str:
    """The folder of a session's evidence, inside the folder of artifacts.

    CI files name it, so it never changes."""
    return f"{prefix}-{re.sub(r'[^A-Za-z0-9._-]+', '-', Path(profile).stem if '/' in profile else profile)}"


def _chosen(project: Path, profiles: Sequence[str] | None) -> list[ServedTests]:
    wanted = os.environ.get("CLUSTERLIB_PROFILE")
    if wanted:
        return [served_by(wanted, project)]
    if profiles is not None:
        return [served_by(profile, project) for profile in profiles]
    return profiles_with_tests(project)


def _install(session: nox.Session, install: Install) -> None:
    if callable(install):
        install(session)
    elif install:
        session.install(*install)


def _prepare(folder: Path) -> None:
    """pytest removes the files of an earlier run, except those that it writes itself at its end."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "junit.xml").unlink(missing_ok=True)


def _run(session: nox.Session, tests: ServedTests, folder: Path, project: Path) -> None:
    if tests.command:
        name = folder.name
        words = ["run", "--profile", tests.profile, "--name", name, "--artifacts", str(folder)]
        if session.posargs:
            words += ["--", *tests.command, *tests.args, *session.posargs]
        session.run(
            "python", "-m", "clusterlib", *words, interrupt_timeout=TIDY_UP, terminate_timeout=TIDY_UP
        )
        return
    session.run(
        "pytest",
        "--distributed",
        f"--cluster-profile={tests.profile}",  # not --profile: another plugin may have that one
        f"--junitxml={folder / 'junit.xml'}",
        f"--cluster-artifacts={folder}",
        *([] if _chooses(session.posargs) else [os.path.relpath(project / path) for path in tests.paths]),
        *tests.args,
        *session.posargs,
        interrupt_timeout=TIDY_UP,
        terminate_timeout=TIDY_UP,
    )


def _chooses(words: Sequence[str]) -> bool:
    """Whether the arguments for pytest select tests, so that those of the profile are not meant."""
    return any(_is_path(before, word) for before, word in pairwise(["", *words]))


def _is_path(before: str, word: str) -> bool:
    named = Path(word.partition("::")[0])
    return before not in NOT_TESTS_AFTER and not word.startswith("-") and named.exists()


def _finish(session: nox.Session, folder: Path) -> None:
    """Makes the report, even if pytest was killed before it could write one."""
    if (folder / "records").is_dir():
        session.run("python", "-m", "clusterlib", "test", "report", str(folder))


def _check(session: nox.Session, tests: ServedTests, project: Path) -> None:
    """Checks whether there is something to run, before anything is installed."""
    name = tests.profile
    if tests.mistakes:
        known = any(one.name == name for one in list_profiles(project))
        remedy = do("profile.check", name) if known else do("profile.list")
        _refuse(
            session,
            f"the profile {name} cannot be used",
            [*(str(mistake) for mistake in tests.mistakes), f"try: {remedy}"],
        )


def _refuse(session: nox.Session, problem: str, lines: Sequence[str]) -> NoReturn:
    for line in lines:
        session.warn(line)
    session.error(problem)
