from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clusterlib.profiles.served import profiles_with_tests, served_by

NOTHING: dict[str, str] = {}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "profiles").mkdir()
    return tmp_path


def write(project: Path, name: str, text: str) -> None:
    (project / "profiles" / f"{name}.toml").write_text(text)


def names(project: Path, **environ: str) -> list[str]:
    return [one.profile for one in profiles_with_tests(project, environ)]


def test_a_profile_that_names_tests_serves_them(project: Path) -> None:
    write(project, "shop", 'extends = "dev"\n[tests]\npaths = ["tests", "more"]\nargs = ["-x"]\n')

    [shop] = profiles_with_tests(project, NOTHING)

    assert (shop.profile, shop.paths, shop.args, shop.mistakes) == ("shop", ("tests", "more"), ("-x",), ())


def test_where_no_profile_names_tests_the_default_serves_those_that_pytest_finds(project: Path) -> None:
    write(project, "silent", 'extends = "dev"\n')

    [dev] = profiles_with_tests(project, NOTHING)
    assert (dev.profile, dev.paths, dev.command, dev.mistakes) == ("dev", (), (), ())

    (project / "pyproject.toml").write_text('[tool.clusterlib]\nprofile = "silent"\n')
    assert names(project) == ["silent"]


def test_paths_for_all_profiles_are_served_by_those_of_the_project_and_the_default(project: Path) -> None:
    write(project, "shop", 'extends = "redis"\n')
    (project / "pyproject.toml").write_text('[tool.clusterlib.tests]\npaths = ["tests"]\n')

    assert names(project) == ["shop", "dev"]
    assert names(project, CLUSTERLIB_PROFILE="etcd") == ["shop", "etcd"]


def test_a_shipped_profile_serves_tests_where_the_project_speaks_of_it(project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.clusterlib.profiles.redis.tests]\npaths = ["nowhere"]\n')

    assert names(project) == ["redis"]


def test_the_project_and_the_environment_speak_after_the_profile(project: Path) -> None:
    write(project, "shop", '[tests]\npaths = ["a"]\nargs = ["-x"]\n')
    (project / "pyproject.toml").write_text('[tool.clusterlib.tests]\nargs = ["-v"]\n')

    shop = served_by("shop", project, {"CLUSTERLIB_TESTS_PATHS": "'b c' d"})

    assert shop.paths == ("b c", "d")
    assert shop.args == ("-v",)


def test_a_command_of_its_own_is_something_to_run(project: Path) -> None:
    write(project, "go", '[tests]\ncommand = ["go", "test"]\n')

    [go] = profiles_with_tests(project, NOTHING)

    assert go.command == ("go", "test")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('extends = "dev', "profiles/bad.toml:1: is not valid TOML"),
        ('extends = "dve"\n', 'did you mean "dev"?'),
        ('tests = "all"\n', "profiles/bad.toml:1: tests: must be a table"),
        (
            '[tests]\npaths = "tests"\n',
            'profiles/bad.toml:2: tests.paths: must be a list of texts, not "tests"',
        ),
        ("[tests]\nargs = [1]\n", "profiles/bad.toml:2: tests.args: must be a list of texts, not [1]"),
    ],
)
def test_a_profile_that_cannot_be_read_is_shown_with_its_mistake(project: Path, text: str, told: str) -> None:
    write(project, "bad", text)
    write(project, "good", '[tests]\npaths = ["tests"]\n')

    bad, good = profiles_with_tests(project, NOTHING)

    assert told in " ".join(str(mistake) for mistake in bad.mistakes)
    assert good.mistakes == ()


def test_an_unknown_name_says_what_was_probably_meant(project: Path) -> None:
    [mistake] = served_by("ci-smal", project, NOTHING).mistakes

    assert 'did you mean "ci-small"?' in str(mistake)


def test_telling_needs_nothing_that_validates() -> None:
    # Nox may be installed where clusterlib's own dependencies are not.
    script = (
        "import sys, clusterlib.profiles.served as served; from pathlib import Path;"
        "served.profiles_with_tests(Path.cwd());"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & "
        "{'psutil', 'toml', 'jinja2', 'cloudpickle', 'rich', 'invoke'}))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
