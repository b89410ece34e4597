"""Which Python files of a project are no code of its servers: tests, as pytest's settings say, and
files of tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterlib.client.code.sources import code_sources
from clusterlib.client.planning import find_programs
from clusterlib.disk.code import code_on_disk
from clusterlib.profiles import load_profile

PROFILE = """\
driver = "command"
[ports]
client = "14000-14999"
[command]
program = "python3"
arguments = ["{{ cluster.project }}/serve.py"%s]
"""
SETTINGS = {
    "pyproject.toml": '[tool.pytest.ini_options]\ntestpaths = ["checks", "quality/*"]\npython_files = ["check_*.py"]\n',
    "pytest.ini": "[pytest]\ntestpaths = checks quality/*\npython_files = check_*.py\n",
    "tox.ini": "[pytest]\ntestpaths =\n    checks\n    quality/*\npython_files = check_*.py\n",
    "setup.cfg": "[tool:pytest]\ntestpaths = checks quality/*\npython_files = check_*.py\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in (
        "serve.py",
        "shop/__init__.py",
        "shop/cart.py",
        "shop/check_cart.py",
        "checks/helper.py",
        "checks/deep/helper.py",
        "quality/load/helper.py",
        "noxfile.py",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (tmp_path / "tasks.py").write_text("from invoke import task\n")
    (tmp_path / "profiles").mkdir()
    return tmp_path


def code(project: Path, more: str = "") -> set[str]:
    """The Python files of the project that are compared with the disk."""
    (project / "profiles/shop.toml").write_text(PROFILE % more)
    resolved = load_profile("shop", project=project)
    found = code_on_disk(code_sources(resolved, project, find_programs(resolved, project)[0]))
    return {path.removeprefix(f"{project}/") for path in found if path.startswith(f"{project}/")}


ALL = {"serve.py", "shop/__init__.py", "shop/cart.py"}


@pytest.mark.parametrize("name", SETTINGS)
def test_tests_are_what_the_settings_of_pytest_say(project: Path, name: str) -> None:
    (project / name).write_text(SETTINGS[name])

    assert code(project) == ALL


def test_all_other_files_are_code(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.pytest")  # cannot be read

    helpers = {"checks/helper.py", "checks/deep/helper.py", "quality/load/helper.py"}
    assert code(project) == {*ALL, "shop/check_cart.py", *helpers}


@pytest.mark.parametrize(
    "settings",
    [
        'testpaths = ["."]',
        'testpaths = ["shop"]',
        'testpaths = ["src"]',
        'python_files = ["*.py"]',
        'python_files = "*"',
        "testpaths = 3",
    ],
)
def test_settings_that_name_the_code_itself_hide_nothing_of_it(project: Path, settings: str) -> None:
    (project / "src").mkdir()
    (project / "src/stock.py").write_text("")
    (project / "pyproject.toml").write_text(f"[tool.pytest.ini_options]\n{settings}\n")

    assert {*ALL, "src/stock.py"} <= code(project)


def test_what_a_command_names_is_code_also_among_tests_and_tools(project: Path) -> None:
    (project / "pyproject.toml").write_text(SETTINGS["pyproject.toml"])

    found = code(project, ', "{{ cluster.project }}/checks/helper.py", "{{ cluster.project }}/noxfile.py"')

    assert {"checks/helper.py", "checks/deep/helper.py", "noxfile.py"} <= found


def test_a_tasks_file_of_celery_is_code(project: Path) -> None:
    (project / "tasks.py").write_text("from celery import Celery\n")

    assert "tasks.py" in code(project)
