"""Which servers are restarted for Python of the project, by what their profiles say, before
anything runs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from clusterlib.client.code.sources import code_sources
from clusterlib.client.planning import find_programs
from clusterlib.messages.plan import CodeSources
from clusterlib.profiles import load_profile, shipped


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a package `shop`, and programs of others on PATH."""
    project, tools = tmp_path / "my shop", tmp_path / "tools"
    for folder in ("src/shop", "lib", "tests/servers", "profiles"):
        (project / folder).mkdir(parents=True)
    for name in ("src/shop/__init__.py", "src/shop/server.py", "lib/stock.py", "tests/servers/fake.py"):
        (project / name).write_text("")
    (project / "run").write_text("#!/bin/sh\nexec serverd\n")
    (project / "run").chmod(0o755)
    (project / "serve.js").write_text("#!/usr/bin/env node\n")
    tools.mkdir()
    for name, text in {
        "serverd": "\x7fELF",
        "wrapper": "#!/bin/sh\nexec serverd\n",
        "shim": '#!/bin/sh\nexec pyenv exec serverd "$@"\n',
        "launcher": "#!/usr/bin/env -S python3 -P\n",
        "uv": "\x7fELF",
        "uvicorn": "#!/opt/tools/bin/python3.12\n",
        "uv-script": "#!/usr/bin/env -S uv run --script\n",
        "node": "\x7fELF",
    }.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    return project


def sources(project: Path, program: str, *arguments: str, more: str = "") -> CodeSources:
    words = json.dumps(arguments)
    text = f'driver = "command"\n[ports]\nclient = "14000-14999"\n[command]\nprogram = "{program}"\narguments = {words}\n{more}\n'
    (project / "profiles" / "shop.toml").write_text(text)
    resolved = load_profile("shop", project=project)
    return code_sources(resolved, project, find_programs(resolved, project)[0])


def trees(project: Path, program: str, *arguments: str, more: str = "") -> list[str]:
    found = sources(project, program, *arguments, more=more).trees
    return [os.path.relpath(folder, project) for folder in found]


HERE = "{{ cluster.project }}"


@pytest.mark.parametrize(
    "command",
    [
        ["python3", "-m", "shop.server"],
        ["python3", "-m", "uvicorn", "shop.server:app"],
        ["python3", "-mshop.server"],
        ["python3", "-c", "import shop"],
        ["python3", "/opt/elsewhere/serve.py"],
        ["launcher"],
        ["uvicorn", "shop.server:app"],
        ["uv-script"],
        ["uv", "run", "shop-server"],
        ["shim", "anything"],
        ["serverd", "--plugin", "shop.server"],
        ["serverd", "--plugin=shop.server:make(1, 2)"],
        ["serverd", "--module", "shop"],
        ["serverd", f"--script={HERE}/src/shop/server.py"],
        ["serverd", "--script", "{{ cluster.project ~ '/src/shop/server.py' }}"],
        ["nice", "-n", "5", "python3", "-m", "shop"],
        ["env", "MODE=test", "sh", f"{HERE}/run"],
        ["sh", "-ec", f"cd {HERE} && exec ./server"],
        ["sh", "-c", "exec uv run shop-server"],
        ["./run"],
    ],
    ids=" ".join,
)
def test_commands_that_can_run_python_of_the_project(project: Path, command: list[str]) -> None:
    assert trees(project, *command) == ["."]


@pytest.mark.parametrize(
    "command",
    [
        ["serverd", "--port", "{{ node.ports.client }}", "--directory", "{{ data }}"],
        ["serverd", "--name", "shop", "--host", "shop.example.com", "--file", "shop.conf"],
        ["serverd", "--directory", f"{HERE}/src"],
        ["wrapper", "--name", "shop"],
        ["sh", "-c", "exec serverd --port 1"],
        ["node", f"{HERE}/serve.js"],
        ["python3", "-m", "http.server", "{{ node.ports.client }}"],
    ],
    ids=" ".join,
)
def test_commands_that_cannot(project: Path, command: list[str]) -> None:
    assert trees(project, *command) == []


def test_what_is_run_beside_a_server_is_not_its_code(project: Path) -> None:
    more = 'shell = ["python3", "-m", "shop.client"]\nstop_command = ["python3", "-m", "shop.stop"]\n'
    more += 'prepare = ["python3", "-m", "shop.tables"]\n'
    assert trees(project, "serverd", more=more) == []


def test_variables_can_name_code_as_arguments_can(project: Path) -> None:
    assert trees(project, "serverd", more='[environment]\nSERVER_APP = "shop.server:app"') == ["."]
    assert trees(project, "serverd", more=f'[environment]\nPYTHONPATH = "{HERE}/src"') == ["."]
    assert trees(project, "serverd", more='[environment]\nSERVER_NAME = "shop"') == []
    (project / "shop.toml").write_text("")
    named = sources(project, "serverd", more=f'[environment]\nSETTINGS = "{HERE}/shop.toml"')
    assert str(project / "shop.toml") in named.files


def test_folders_on_pythonpath_count_beside_the_code_roots(project: Path) -> None:
    (project.parent / "common").mkdir()
    (project / ".venv/lib/site-packages").mkdir(parents=True)
    paths = ":".join(f"{HERE}/{one}" for one in ("lib", ".venv/lib/site-packages", "../common", "..", "none"))
    (project.parent / "pyvenv.cfg").write_text("")  # the project lies in a virtual environment itself
    more = f'[python]\npath = ["src"]\n[environment]\nPYTHONPATH = "{paths}"'

    assert trees(project, "python3", "-m", "stock", more=more) == ["src", "lib", "../common"]


def test_a_server_among_the_tests_counts_with_what_lies_beside_it(project: Path) -> None:
    found = sources(project, "python3", f"{HERE}/tests/servers/fake.py")

    assert found.trees == (str(project), str(project / "tests/servers"))
    assert trees(project, "python3", "-m", "tests.servers.fake") == [".", "tests/servers"]


def test_the_folder_of_a_console_script_is_no_code_of_the_project(project: Path) -> None:
    script = project / "venv/bin/shop-server"
    script.parent.mkdir(parents=True)
    (project / "venv/pyvenv.cfg").write_text("")
    script.write_text("#!/opt/python3\n")
    script.chmod(0o755)

    assert trees(project, "./venv/bin/shop-server", more='[python]\npath = ["src"]') == ["src"]


def test_a_profile_can_say_that_no_python_of_the_project_is_run(project: Path) -> None:
    assert trees(project, "./run", more="[python]\npath = []") == []


@pytest.mark.parametrize("profile", sorted(path.stem for path in shipped("profiles").glob("*.toml")))
def test_no_shipped_server_is_restarted_for_python_of_the_project(project: Path, profile: str) -> None:
    resolved = load_profile(profile, project=project)

    assert code_sources(resolved, project, find_programs(resolved, project)[0]).trees == ()
