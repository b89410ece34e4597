"""Servers that run Python of the project do not serve old code after an edit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import clusterlib
from clusterlib.frozen import frozen
from tests.functional.conftest import Up

LONG_AGO = 1_000_000_000
SERVER = """\
import http.server
import sys

from shop.answers import ANSWER


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(ANSWER.encode())


def main():
    port = int(sys.argv[-1])
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
SERVE = "from shop.server import main\n\nmain()\n"
LAUNCHER = f"""\
#!{sys.executable}
import importlib, sys
sys.path.append({{source!r}})
importlib.import_module(sys.argv[1].partition(":")[0]).main()
"""
CONSOLE_SCRIPT = f"#!{sys.executable}\nimport sys\nsys.path.append({{source!r}})\n{SERVE}"
LONG_CONSOLE_SCRIPT = f"""\
#!/bin/sh
'''exec' "{sys.executable}" "$0" "$@"
' '''
import sys
sys.path.append({{source!r}})
{SERVE}"""
SHELL_SCRIPT = f'#!/bin/sh\nexec {sys.executable} -m shop.serve "$@"\n'
SHIM = f'#!/bin/sh\nexec {sys.executable} "$@"\n'
LIST_OF_OTHERS = f'#!/bin/sh\n. "$(dirname "$0")/settings.sh"\nexec {sys.executable} -m "$MODULE" "$@"\n'
PROFILE = """\
driver = "command"
[nodes]
count = 1
name = "shop{{index}}"
[ports]
client = "29400-29599"
[command]
program = "{program}"
arguments = [{arguments}"{{{{ node.ports.client }}}}"]
[environment]
{environment}
"""
SOURCE_ON_PATH = 'PYTHONPATH = "{{ cluster.project }}/src"'


@frozen
class Way:
    """A way to start the server."""

    program: str
    arguments: str = ""
    environment: str = SOURCE_ON_PATH
    more: str = ""
    edits: str = "src/shop/answers.py"

    def prepare(self, project: Path) -> None:
        tools = project.parent / f"{project.name}-tools"
        source = str(project / "src")
        for folder in (
            project / "src/shop",
            project / "profiles",
            project / "templates",
            project / "bin",
            tools,
        ):
            folder.mkdir(parents=True)
        for name, text in {
            project / "src/shop/__init__.py": "",
            project / "src/shop/server.py": SERVER,
            project / "src/shop/serve.py": SERVE,
            project / "src/shop/answers.py": 'ANSWER = "old"\n',
            project / "run.sh": SHELL_SCRIPT,
            project / "bin/run": SHELL_SCRIPT,
            project / "bin/serve": f"import sys\nsys.path.append({source!r})\n{SERVE}",
            project / "bin/settings.sh": "MODULE=shop.serve\n",
            project / "bin/others": LIST_OF_OTHERS,
            project / "templates/start.j2": SHELL_SCRIPT,
            tools / "launch": LAUNCHER.format(source=source),
            tools / "shop-server": CONSOLE_SCRIPT.format(source=source),
            tools / "shop-long": LONG_CONSOLE_SCRIPT.format(source=source),
            tools / "shim": SHIM,
        }.items():
            name.write_text(text)
            name.chmod(0o755)
            # Python takes a compiled file for current where size and second of the source agree.
            os.utime(name, (LONG_AGO, LONG_AGO))
        profile = PROFILE.format(
            program=self.program.replace("TOOLS", str(tools)),
            arguments=self.arguments,
            environment=self.environment,
        )
        (project / "profiles/shop.toml").write_text(f"{profile}\n{self.more}\n")


PYTHON = sys.executable
WAYS: dict[str, Way] = {
    "a module on PYTHONPATH": Way(PYTHON, '"-m", "shop.serve", '),
    "a module of its own, edited itself": Way(PYTHON, '"-m", "shop.serve", ', edits="src/shop/serve.py"),
    "a line of code": Way(PYTHON, '"-c", "from shop.server import main; main()", '),
    "a script without a suffix": Way(PYTHON, '"{{ cluster.project }}/bin/serve", ', "", edits="bin/serve"),
    "what a script without a suffix imports": Way(PYTHON, '"{{ cluster.project }}/bin/serve", ', ""),
    "a shell that runs a script": Way("sh", '"{{ cluster.project }}/run.sh", '),
    "a shell that runs a script without a suffix": Way(
        "sh", '"-e", "{{ cluster.project }}/bin/run", ', edits="bin/run"
    ),
    "a shell that runs a file made from a template": Way(
        "sh", '"start", ', more='[templates]\nstart = "start.j2"'
    ),
    "a shell line": Way("sh", f'"-c", "exec {PYTHON} -m shop.serve $0", '),
    "a shell line that names the project": Way("sh", '"-c", "cd {{ cluster.project }} && ./run.sh $0", '),
    "a shell script as the program": Way("./run.sh"),
    "what a shell script includes": Way("./bin/others", edits="bin/settings.sh"),
    "a launcher on PATH": Way("TOOLS/launch", '"shop.server:main", ', ""),
    "a console script": Way("TOOLS/shop-server", "", ""),
    "a console script with a long path": Way("TOOLS/shop-long", "", ""),
    "a shell script elsewhere that starts Python": Way("TOOLS/shim", '"-m", "shop.serve", '),
    "another program that starts Python": Way("env", f'"{PYTHON}", "-m", "shop.serve", '),
    "a path that the profile adds to its code roots": Way(
        PYTHON, '"-m", "shop.serve", ', more='[python]\npath = ["bin"]'
    ),
}


def answer(cluster: clusterlib.Cluster) -> str:
    (node,) = cluster
    with urllib.request.urlopen(f"http://127.0.0.1:{node.ports['client']}", timeout=10) as reply:
        return str(reply.read().decode())


def starts(cluster: clusterlib.Cluster) -> int:
    (node,) = cluster.status().nodes
    return int(node.starts)


@pytest.mark.parametrize("way", WAYS)
def test_an_edit_is_noticed_however_the_server_is_started(up: Up, project: Path, way: str) -> None:
    start = WAYS[way]
    start.prepare(project)
    cluster = up("shop", hold=False)
    assert (answer(cluster), cluster.sync().restarted) == ("old", ())
    edited = project / start.edits

    edited.write_text(edited.read_text().replace('"old"', '"new"') + "# edited\n")
    synced = cluster.sync()

    assert (synced.changed, synced.restarted) == ((str(edited),), ("shop1",))
    assert answer(cluster) == ("new" if start.edits == "src/shop/answers.py" else "old")
    assert cluster.sync().restarted == ()
    with edited.open("a") as source:
        source.write("# edited again\n")
    assert starts(up()) == 3


def test_files_that_are_only_touched_restart_no_server(up: Up, project: Path) -> None:
    WAYS["a shell that runs a file made from a template"].prepare(project)
    text = (project / "profiles/shop.toml").read_text()
    (project / "profiles/shop.toml").write_text(
        text.replace('["start"', '["start", "--log={{ cluster.project }}/log.ini"')
    )
    (project / "log.ini").write_text("")
    cluster = up("shop", hold=False)

    for name in ("src/shop/server.py", "templates/start.j2", "log.ini"):
        (project / name).touch()

    assert cluster.sync().restarted == ()
    (project / "log.ini").write_text("[loggers]\n")
    assert cluster.sync().changed == (str(project / "log.ini"),)
    (project / "src/shop/test_server.py").write_text("")
    assert cluster.sync().restarted == (), "a test is no code of a server"


@pytest.mark.parametrize("script", ["run.sh", "shop-server"])
def test_a_profile_says_that_its_server_runs_no_python_of_the_project(
    up: Up, project: Path, script: str
) -> None:
    program = "./run.sh" if script == "run.sh" else "TOOLS/shop-server"
    Way(program, more="[python]\npath = []").prepare(project)
    cluster = up("shop", hold=False)

    (project / "src/shop/answers.py").write_text('ANSWER = "new"\n')

    assert cluster.sync().restarted == ()


def task(project: Path, *arguments: str) -> str:
    words = [sys.executable, "-m", "clusterlib", *arguments]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CLUSTERLIB_")}
    return subprocess.run(
        words,
        cwd=project,
        env={**kept, "NO_COLOR": "1"},
        text=True,
        capture_output=True,
        timeout=60,
        check=True,
    ).stdout


@pytest.mark.parametrize(
    ("more", "compared"),
    [
        ("", ["its program", "the files that its profile names", "the Python code of the project"]),
        (
            '[python]\npath = ["src", "bin"]',
            ["its program", "the files that its profile names", "the Python code below src and bin"],
        ),
        ("[python]\npath = []", ["its program", "the files that its profile names"]),
    ],
    ids=["the project", "some folders", "no code"],
)
def test_sync_says_what_it_has_compared_and_no_more(
    up: Up, project: Path, more: str, compared: list[str]
) -> None:
    Way("./run.sh", more=more).prepare(project)
    up("shop", hold=False)

    said = task(project, "cluster.sync")
    told = json.loads(task(project, "cluster.sync", "--json"))

    assert said == f"cluster default runs what is on disk: {', '.join(compared)}\n"
    assert told["looked_at"] == compared


def test_sync_says_what_it_has_compared_also_where_a_profile_watches_files(up: Up, project: Path) -> None:
    way = Way("./run.sh", more="[python]\npath = []")
    way.prepare(project)
    profile = project / "profiles/shop.toml"
    profile.write_text('watch = ["src/**"]\n' + profile.read_text())
    cluster = up("shop", hold=False)

    assert cluster.sync().looked_at[-1] == "what it watches"
    (project / "src/shop/answers.py").write_text('ANSWER = "new"\n')
    assert cluster.sync().restarted == ("shop1",)
    assert answer(cluster) == "new"


def test_nodes_that_say_what_they_have_loaded_run_the_code_on_disk(up: Up, project: Path) -> None:
    up("ci-small", hold=False)

    assert task(project, "cluster.sync") == "cluster default runs the code that is on disk\n"
