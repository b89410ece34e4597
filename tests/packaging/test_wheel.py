"""What a user gets: the wheel, in a new environment, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
STORY = """
import clusterlib
with clusterlib.up("dev") as cluster:
    print([node.members() for node in cluster], clusterlib.__file__)
"""


OTHERS = ("CLUSTERLIB_", "PYTHONPATH", "VIRTUAL_ENV", "PYTEST_", "NOX_", "GITHUB_", "CI")
"""Variables that a user's shell does not have."""

USERS_PROJECT = {
    "pyproject.toml": """
[project]
name = "shop"
version = "1"

[tool.pytest.ini_options]
addopts = ["-ra"]
pythonpath = ["."]
testpaths = ["tests"]
""",
    "profiles/shop.toml": """
extends = "ci-small"
description = "Two shops, with a configuration of their own"

[nodes]
name = "shop{index}"

[templates]
"shop.conf" = "shop.conf.j2"

[environment]
SHOP_CURRENCY = "EUR"

[tests]
paths = ["tests"]
""",
    "templates/shop.conf.j2": "name = {{ node.name }}\n",
    "shop.py": """
import os

stock = {}


def put(item, count):
    stock[item] = stock.get(item, 0) + count
    print(f"stocked {count} {item} for {os.environ['SHOP_CURRENCY']}", flush=True)
    return stock[item]


def configuration():
    with open("shop.conf") as file:
        return file.read()
""",
    "tests/test_shop.py": """
import pytest


def test_without_a_cluster():
    pass


@pytest.mark.cluster_size(2)
def test_each_shop_has_its_own_stock_and_configuration(cluster):
    assert [node.call("shop:put", "tea", 3) for node in cluster] == [3, 3]
    assert cluster["shop2"].call("shop:configuration") == "name = shop2\\n"


def test_the_other_notices_a_crash(cluster):
    cluster["shop1"].kill()
    cluster.wait_until(lambda: cluster["shop2"].members() == ["shop2"])
""",
    "noxfile.py": """
from clusterlib.nox import distributed_sessions

distributed_sessions(install=(), venv_backend="none")
""",
    "tasks.py": "from clusterlib.invoke import namespace\n",
}
WRONG = """
def test_shared_stock(cluster):
    cluster["shop1"].call("shop:put", "coffee", 1)
    assert cluster["shop2"].call("shop:put", "coffee", 1) == 2
"""


def run(arguments: list[str], folder: Path, *, code: int = 0, **environment: str) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(OTHERS)}
    done = subprocess.run(
        arguments,
        cwd=folder,
        env={**clean, **environment},
        text=True,
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == code, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout + (done.stderr if code else "")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(
        [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "--outdir",
            str(folder),
            str(REPOSITORY),
        ],
        folder,
    )
    (built,) = folder.glob("*.whl")
    return built


def installed(folder: Path, *requirements: str) -> Path:
    """The programs of a new environment with these."""
    run([sys.executable, "-m", "venv", str(folder)], folder)
    run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements], folder)
    return folder / "bin"


@pytest.fixture(scope="session")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """clusterlib and what it requires, without an extra."""
    return installed(tmp_path_factory.mktemp("bare"), str(wheel))


@pytest.fixture(scope="session")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the tests of a project require."""
    return installed(tmp_path_factory.mktemp("environment"), f"{wheel}[nox]", "pytest", "pytest-xdist")


def test_the_wheel_carries_profiles_templates_and_its_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    for profile in (REPOSITORY / "profiles").glob("*.toml"):
        assert f"clusterlib/_shipped/profiles/{profile.name}" in names
    for template in (REPOSITORY / "templates").rglob("*.j2"):
        assert f"clusterlib/_shipped/templates/{template.relative_to(REPOSITORY / 'templates')}" in names
    for part in (REPOSITORY / "clusterlib" / "evidence" / "page").iterdir():
        assert f"clusterlib/evidence/page/{part.name}" in names
    assert {"clusterlib/operations/index.json", "clusterlib/client/operated.pyi"} <= names
    assert "clusterlib/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "bench/"))]


def test_the_wheel_declares_the_six_packages_and_only_nox_is_an_extra(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()
    required = dict(re.findall(r"^Requires-Dist: ([\w-]+)[^;\n]*(.*)$", metadata, re.MULTILINE))
    declared = {one: required.get(one) for one in ("invoke", "toml", "psutil", "jinja2", "junit-xml")}

    assert declared == dict.fromkeys(declared, "")
    assert re.search(r"^Requires-Dist: nox[^;\n]*; extra == 'nox'$", metadata, re.MULTILINE)


def test_a_cluster_runs_from_an_empty_folder(bare: Path, tmp_path: Path) -> None:
    told = run([str(bare / "python"), "-c", STORY], tmp_path)

    assert str([["node1", "node2", "node3"]] * 3) in told
    assert str(bare.parent) in told, "it must be the installed package, not this checkout"


def test_without_the_extra_a_noxfile_is_told_how_to_get_nox(bare: Path, tmp_path: Path) -> None:
    assert not (bare / "nox").exists()

    told = run(
        [str(bare / "python"), "-c", "from clusterlib.nox import distributed_sessions"], tmp_path, code=1
    )

    assert "clusterlib[nox]" in told


def test_the_tasks_work_in_another_project(bare: Path, tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text("from clusterlib.invoke import namespace\n")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "mine.toml").write_text('extends = "ci-small"\n[nodes]\nname = "shop{index}"\n')
    invoke, path = str(bare / "invoke"), f"{bare}:{os.environ['PATH']}"

    run([invoke, "cluster.up", "--profile", "mine"], tmp_path, PATH=path)
    try:
        assert "shop2" in run([invoke, "cluster.status"], tmp_path, PATH=path)
    finally:
        run([invoke, "cluster.down"], tmp_path, PATH=path)


def test_everything_works_in_a_project_of_a_users_own(environment: Path, tmp_path: Path) -> None:
    for name, text in USERS_PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    path = f"{environment}:{os.environ['PATH']}"

    def user(*words: str, code: int = 0) -> str:
        return run([str(environment / words[0]), *words[1:]], tmp_path, code=code, PATH=path)

    unasked = user("pytest")
    assert "1 passed, 2 skipped" in unasked
    assert "pytest --distributed" in unasked
    assert not (tmp_path / ".clusterlib").exists()

    profile = "--profile=shop"
    assert "3 passed" in user("pytest", "--distributed", profile)
    assert "3 passed" in user("pytest", "--distributed", profile, "-n", "2")
    assert "test_the_other_notices_a_crash" in user("invoke", "test.plan", "--profile", "shop")

    told = user("nox", "-s", "distributed")
    folder = tmp_path / "artifacts" / "distributed-shop"
    assert "3 passed" in told
    for name in ("junit.xml", "cluster.xml", "report.html", "plan.json", "summary.json", "environment.json"):
        assert (folder / name).stat().st_size, name
    assert list(folder.glob("clusters/*/*/configs/shop2/shop.conf"))

    (tmp_path / "tests" / "test_wrong.py").write_text(WRONG)
    failed = user("nox", "-s", "distributed", "--", "tests/test_wrong.py", code=1)
    said = "stocked 1 coffee for EUR"
    assert said in failed, "what the nodes said stands below the failure"
    assert said in (folder / "report.html").read_text()
    [log] = folder.glob("clusters/*/*/logs/shop1.log")
    assert said in log.read_text()
    assert "test_shared_stock" in (folder / "junit.xml").read_text()


def test_the_readme_makes_a_project_whose_sessions_can_run_again(
    environment: Path, wheel: Path, tmp_path: Path
) -> None:
    """Each session installs the project anew, with all that the one before has left in its
    folder."""
    section = (REPOSITORY / "README.md").read_text().partition("## In a project of your own")[2]
    pyproject, noxfile = re.findall(r"```(?:toml|python)\n(.*?)```", section, re.DOTALL)[:2]
    placeholder = "/path/to/clusterlib-0.1.0-py3-none-any.whl"
    assert placeholder in pyproject
    (tmp_path / "pyproject.toml").write_text(pyproject.replace(placeholder, str(wheel)))
    (tmp_path / "noxfile.py").write_text(noxfile)
    for name in ("shop.py", "profiles/shop.toml", "templates/shop.conf.j2", "tests/test_shop.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(USERS_PROJECT[name])
    path = f"{environment}:{os.environ['PATH']}"

    for _ in range(2):
        told = run([str(environment / "nox"), "-s", "distributed"], tmp_path, PATH=path)
        assert "3 passed" in told
