"""A client that only attaches to a cluster is warned of stale code, and restarts nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import clusterlib
from clusterlib.errors import StaleCodeWarning
from tests.functional.stale_projects import Up, edited, served, starts


@pytest.mark.parametrize("simulate", [False, True], ids=["real", "simulated"])
def test_who_attaches_to_a_stale_cluster_is_warned(up: Up, project: Path, simulate: bool) -> None:
    change = edited(project / "stock.py")
    cluster = up("ci-small", simulate=simulate, hold=False)
    cluster["node1"].run(exec, "import stock")
    with clusterlib.attach() as fresh:
        assert fresh.stale == ()

    change()
    with pytest.warns(StaleCodeWarning, match=r"runs other code than is on disk \(stock.py\)"):
        attached = clusterlib.attach()

    with attached:
        assert attached.stale == (str(project / "stock.py"),)
        assert starts(attached) == [1, 1]
    with clusterlib.attach(check_code=False) as silent:
        silent.restart()
        assert silent.stale == ()


def test_a_warning_that_is_an_error_leaves_no_lease(up: Up, project: Path) -> None:
    change = edited(project / "stock.py")
    cluster = up("ci-small")
    cluster["node1"].run(exec, "import stock")
    change()

    with pytest.raises(StaleCodeWarning):  # as the settings of this test run have it
        clusterlib.attach()

    assert len(cluster.status().leases) == 1


def shell(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "clusterlib", "cluster.shell", *arguments]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CLUSTERLIB_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**kept, "NO_COLOR": "1", "PATH": path}
    return subprocess.run(
        words, cwd=project, env=environment, text=True, capture_output=True, timeout=60, check=False
    )


def test_a_shell_says_that_the_nodes_run_other_code(up: Up, project: Path) -> None:
    change = edited(project / "stock.py")
    cluster = up("ci-small", hold=False)
    told = shell(project, "-c", "__import__('stock').VALUE")
    assert (told.returncode, told.stdout, told.stderr) == (0, "1\n", "")

    change()
    told = shell(project, "-c", "__import__('stock').VALUE")
    as_json = shell(project, "--json", "-c", "__import__('stock').VALUE")

    assert (told.returncode, told.stdout) == (0, "1\n")
    (line,) = told.stderr.splitlines()
    assert "runs other code than is on disk (stock.py); clusterlib up or clusterlib sync renews it" in line
    assert (json.loads(as_json.stdout)["stale"], as_json.stderr) == ([str(project / "stock.py")], "")
    assert starts(cluster) == [1, 1]


def test_the_shell_of_a_server_says_it_too(up: Up, project: Path) -> None:
    served(project, '"{{ cluster.project }}/web/server.py"')
    text = (project / "profiles/web.toml").read_text()
    (project / "profiles/web.toml").write_text(
        text.replace("[command]\n", '[command]\nshell = ["echo", "hello"]\n')
    )
    up("web", hold=False)
    assert shell(project).stderr == ""

    (project / "web/server.py").write_text("# edited\n")
    told = shell(project)

    assert told.stdout == "hello\n"
    assert "runs other code than is on disk (web/server.py)" in told.stderr
