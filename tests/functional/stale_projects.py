"""Projects whose code changes while a cluster of them runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import clusterlib

__all__ = ["Change", "Up", "edited", "served", "starts"]

Up = Callable[..., clusterlib.Cluster]
Change = Callable[[], object]


def starts(cluster: clusterlib.Cluster) -> list[int]:
    return [node.starts for node in cluster.status().nodes]


def edited(path: Path, after: str = "VALUE = 2\n", before: str = "VALUE = 1\n") -> Change:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(before)
    return lambda: path.write_text(after)


SERVER = """\
import http.server, sys
{more}
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
PROFILE = """\
driver = "command"
[nodes]
count = 1
[ports]
client = "29200-29399"
[command]
program = "{program}"
arguments = [{arguments}, "{{{{ node.ports.client }}}}"]
[environment]
PYTHONPATH = "{project}"
{more}
"""


def served(project: Path, arguments: str, more: str = "", source: str = "") -> None:
    (project / "profiles").mkdir()
    text = PROFILE.format(program=sys.executable, arguments=arguments, project=project, more=more)
    (project / "profiles/web.toml").write_text(text)
    (project / "web").mkdir()
    (project / "web/__init__.py").write_text("")
    (project / "web/pages.py").write_text("VALUE = 1\n")
    (project / "web/server.py").write_text(SERVER.format(more=source))
