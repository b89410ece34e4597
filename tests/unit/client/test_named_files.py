"""Which files of the project are compared with the disk because a command or a variable of the
profile names them."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterlib.client.code.sources import code_sources
from clusterlib.client.planning import find_programs
from clusterlib.disk.code import code_on_disk
from clusterlib.disk.digests import changed
from clusterlib.messages.plan import CodeSources
from clusterlib.profiles import load_profile

HERE = "{{ cluster.project }}"
Name = Callable[[str], str]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a compiled server, and another program on PATH."""
    project, tools = tmp_path / "my shop", tmp_path / "tools"
    for folder in (project / "bin", project / "etc", project / "profiles", tools):
        folder.mkdir(parents=True)
    for path, text in {
        project / "bin/server": "\x7fELF",
        tools / "serverd": "\x7fELF",
        project / "run": '#!/bin/sh\nexec ./bin/server "$@"\n',
        project / "bin/beside": '#!/bin/sh\nexec "$(dirname "$0")/server" -c ../etc/users.acl\n',
    }.items():
        path.write_text(text)
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    return project


def sources(project: Path, *command: str, more: str = "") -> CodeSources:
    program, *arguments = command
    words = json.dumps(arguments)
    text = f'driver = "command"\n[ports]\nclient = "14000-14999"\n[command]\nprogram = "{program}"\narguments = {words}\n{more}\n'
    (project / "profiles" / "shop.toml").write_text(text)
    resolved = load_profile("shop", project=project)
    return code_sources(resolved, project, find_programs(resolved, project)[0])


def noticed(found: CodeSources, path: Path, text: str = "other") -> bool:
    """Whether another content of this file is."""
    before = code_on_disk(found)
    path.write_text(text)
    return changed(before, code_on_disk(found)) == [str(path)]


@pytest.mark.parametrize("more", ["", "[python]\npath = []"], ids=["any code", "no Python"])
@pytest.mark.parametrize(
    "command",
    [
        ["./bin/server"],
        ["env", f"{HERE}/bin/server"],
        ["env", "MODE=test", f"{HERE}/bin/server"],
        ["nice", "-n", "5", f"{HERE}/bin/server"],
        ["setpriv", "--no-new-privs", f"{HERE}/bin/server"],
        ["sh", "-c", f"exec '{HERE}/bin/server' --port 1"],
        ["sh", "-c", f"cd '{HERE}' && exec bin/server"],
        ["sh", "-c", f"cd '{HERE}/bin'; exec ./server"],
        ["sh", "-c", f"ROOT='{HERE}'; exec $ROOT/bin/server"],
        ["./run"],
        ["sh", f"{HERE}/run"],
        ["env", f"{HERE}/bin/beside"],
    ],
    ids=" ".join,
)
def test_a_compiled_server_that_is_built_again_is_noticed(
    project: Path, command: list[str], more: str
) -> None:
    assert noticed(sources(project, *command, more=more), project / "bin/server", "\x7fELF again")


NAMED = ["my.cnf", "users.acl", "app.env", "Caddyfile", "init.sql", "prices.csv", ".env", "settings"]
WORDS: dict[str, Name] = {
    "a word": lambda path: f"{HERE}/{path}",
    "a value": lambda path: f"--config={HERE}/{path}",
    "glued to an option": lambda path: f"-c{HERE}/{path}",
    "a list": lambda path: f"{HERE}/none.json:{HERE}/{path}",
    "a list with commas": lambda path: f"files={HERE}/none.json,{HERE}/{path}",
    "a URL": lambda path: f"file://{HERE}/{path}",
    "after an at sign": lambda path: f"@{HERE}/{path}",
    "from the project": lambda path: path,
}


@pytest.mark.parametrize("name", NAMED)
def test_a_named_file_is_noticed_whatever_it_is_called(project: Path, name: str) -> None:
    path = project / "etc" / name
    path.write_text("one")

    assert noticed(sources(project, "serverd", f"{HERE}/etc/{name}"), path)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("where", ["arguments", "environment"])
def test_a_file_is_noticed_however_it_is_named(project: Path, word: str, where: str) -> None:
    path = project / "etc" / "my.cnf"
    path.write_text("one")
    text = WORDS[word]("etc/my.cnf")
    found = (
        sources(project, "serverd", text)
        if where == "arguments"
        else sources(project, "serverd", more=f'[environment]\nSETTINGS = "{text}"')
    )

    assert noticed(found, path)


@pytest.mark.parametrize("name", ["etc/local.conf", "app.env", "etc/init.sql"])
def test_a_named_file_that_comes_after_the_start_is_noticed(project: Path, name: str) -> None:
    found = sources(project, "serverd", f"--config={HERE}/{name}")

    assert noticed(found, project / name)


def test_a_file_that_a_named_script_names_is_noticed(project: Path) -> None:
    (project / "etc/users.acl").write_text("one")

    assert noticed(sources(project, "./bin/beside"), project / "etc/users.acl")


def test_an_extension_module_of_a_server_in_python_is_noticed(project: Path) -> None:
    (project / "speedups.cpython-311-x86_64-linux-gnu.so").write_text("\x7fELF")
    (project / "serve.py").write_text("import speedups\n")

    found = sources(project, "python3", f"{HERE}/serve.py")

    assert noticed(found, project / "speedups.cpython-311-x86_64-linux-gnu.so")


@pytest.mark.parametrize(
    "name",
    ["server.log", "server.pid", "shop.db", "shop.sqlite3", "server.lock", ".clusterlib/default/run/a.conf"],
)
@pytest.mark.parametrize("there", [True, False])
def test_what_a_server_writes_is_not_looked_at(project: Path, name: str, there: bool) -> None:
    path = project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if there:
        path.write_text("")

    assert not noticed(sources(project, "serverd", f"--file={HERE}/{name}"), path)


@pytest.mark.parametrize("into", [">", ">>", "2> ", "&>", "> '"])
def test_what_a_shell_writes_is_not_looked_at(project: Path, into: str) -> None:
    (project / "etc/notes").write_text("")
    end = "'" if "'" in into else ""

    found = sources(project, "sh", "-c", f"exec serverd {into}{HERE}/etc/notes{end}")

    assert not noticed(found, project / "etc/notes")


def test_large_data_is_not_looked_at(project: Path) -> None:
    data = project / "etc/data.bin"
    with data.open("wb") as file:
        file.truncate(17 << 20)

    assert not noticed(sources(project, "serverd", f"{HERE}/etc/data.bin"), data)


def test_folders_and_sockets_that_a_server_makes_are_no_change(project: Path) -> None:
    found = sources(project, "serverd", f"{HERE}/data.d", f"{HERE}/etc/shop.s", f"{HERE}/etc/pipe.p")
    before = code_on_disk(found)

    (project / "data.d").mkdir()
    os.mkfifo(project / "etc/pipe.p")
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(project / "etc")  # the name of a socket is short
        try:
            listener.bind("shop.s")
        finally:
            os.chdir(here)

    assert changed(before, code_on_disk(found)) == []


def test_words_that_name_no_file_are_not_looked_at(project: Path) -> None:
    words = ["application/json", "http://127.0.0.1:80/etc/x.json", "etc", "x" * 9000, "{{ data }}/a.conf"]

    assert sources(project, "serverd", *words).files == (str(project.parent / "tools/serverd"),)
