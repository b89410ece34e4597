"""Driver `command`: looking at servers that run, and talking to them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterlib import errors
from clusterlib.operations.health import examine_health
from clusterlib.operations.shell import run_own_shell
from tests.functional.command.boxes import FORMING
from tests.functional.conftest import Up


def test_health_asks_what_the_profile_asks(up: Up, write: Callable[..., None], project: Path) -> None:
    write(
        FORMING + '\n[health]\ncommand = ["sh", "-c", "test ! -e data/full || { echo disk full; exit 1; }"]\n'
    )
    cluster = up("box")

    assert examine_health(project=project).healthy

    (cluster.run_folder.node("box2") / "data/full").touch()
    cluster["box3"].kill()
    found = examine_health(project=project)
    rows = {row.node: {check.name: check for check in row.checks} for row in found.nodes}
    assert [name for _, name in found.columns] == [
        *("answering", "started", "health", "log", "formed", "memory", "cpu")
    ]
    assert rows["box1"]["health"].outcome == "ok"
    assert "disk full" in rows["box2"]["health"].evidence
    assert rows["box3"]["started"].outcome == "failed"


def test_a_cluster_that_is_ready_is_healthy_at_once_also_the_nodes_that_were_not_restarted(
    up: Up, write: Callable[..., None], project: Path
) -> None:
    third_time = "echo asked >>asked; test $(wc -l <asked) -ge 3 || { echo not yet; exit 1; }"
    write(FORMING + f'\n[health]\ncommand = ["sh", "-c", "{third_time}"]\n')

    cluster = up("box")
    assert examine_health(project=project).healthy

    cluster["box3"].kill()
    for node in cluster:
        (cluster.run_folder.node(node.name) / "asked").unlink()
    cluster["box3"].restart()
    cluster.wait_ready()
    assert examine_health(project=project).healthy


def test_a_node_that_misses_another_says_what_that_means_and_who_is_to_be_restarted(
    up: Up, write: Callable[..., None], project: Path
) -> None:
    write(
        """
[formed]
send = "who"
means = "it has met {{ peers | map(attribute='name') | join(' and ') }}"
answer = "{% if alive | length == cluster.nodes | length %}PONG{% else %}NOBODY{% endif %}"
"""
    )
    cluster = up("box")
    cluster["box3"].kill()

    rows = {
        row.node: {check.name: check for check in row.checks} for row in examine_health(project=project).nodes
    }

    port = cluster["box1"].ports["client"]
    formed = rows["box1"]["formed"]
    assert formed.evidence == f"port {port} does not say that it has met box2 and box3; it says 'PONG'"
    assert formed.remedies == ("invoke cluster.restart box3",)


def test_the_shell_is_the_programs_own(
    up: Up, write: Callable[..., None], project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write()
    up("box")

    assert run_own_shell("box2", code="says 'hello you'", project=project) == 0

    assert capfd.readouterr().out == "box2 says hello you\n"


def test_the_folders_and_variables_of_the_profile_hold_for_its_shell(
    up: Up, write: Callable[..., None], project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As they do for the server: a client of the same version, which finds what it needs."""
    (project / "tools-9").mkdir()
    for folder, said in (("tools-9", "from tools-9"), (".", "not this one")):
        client = project / folder / "box-client"
        client.write_text(f'#!/bin/sh\necho "$GREETING, {said}"\n')
        client.chmod(0o755)
    write(stop=f'"SIGINT"\nsearch = ["{project}/tools-*"]', shell='["box-client"]')
    up("box")

    assert run_own_shell("box2", project=project) == 0

    assert capfd.readouterr().out == "I am box2, from tools-9\n"


def test_a_shell_that_is_not_installed_is_named(up: Up, write: Callable[..., None], project: Path) -> None:
    write(shell='["no-such-client"]')
    up("box")

    with pytest.raises(errors.ProgramMissing, match="no-such-client"):
        run_own_shell("box2", project=project)


def test_a_server_takes_no_python_calls_and_says_what_it_takes(up: Up, write: Callable[..., None]) -> None:
    write()
    cluster = up("box")

    with pytest.raises(errors.NotSupported, match=r"takes no calls \(driver 'command'\)") as caught:
        cluster["box1"].call("os:getpid")

    assert "invoke cluster.shell box1" in caught.value.remedies
    with pytest.raises(errors.NotSupported, match="no port called http"):
        assert cluster["box1"].url


def test_a_program_that_a_command_is_run_for_finds_the_servers(up: Up, write: Callable[..., None]) -> None:
    from clusterlib.client.environment import environment_of

    write()
    cluster = up("box")
    node = cluster["box1"]

    told = environment_of(cluster)["CLUSTERLIB_NODES"]

    assert told.startswith(f"box1=127.0.0.1:{node.ports['client']},box2=")
    show = [sys.executable, "-c", "import clusterlib; print(len(clusterlib.attach()))"]
    seen = subprocess.run(
        show, env={**os.environ, **environment_of(cluster)}, capture_output=True, check=True
    )
    assert seen.stdout == b"3\n"


def test_what_the_program_has_started_costs_the_node_memory_too(
    up: Up, write: Callable[..., None], project: Path
) -> None:
    script = project / "box-server"
    script.write_text(f'#!/bin/sh\n{sys.executable} "$@" &\nwait\n')
    script.chmod(0o755)
    write(program='"./box-server"')
    cluster = up("box")

    rows = examine_health(project=project).nodes

    told = [check.evidence for row in rows for check in row.checks if check.name == "memory"]
    assert all(int(text.split()[0]) >= 4 for text in told), "Python takes more than a shell"
    samples = cluster.run_folder.samples
    cluster.wait_until(lambda: samples.exists() and samples.read_text(), 10)
    seen = json.loads(samples.read_text().splitlines()[0])["nodes"]
    assert all(node["memory"] > 4 * 2**20 for node in seen.values())


def test_a_node_without_a_shell_is_shown_the_profile_that_names_none(
    up: Up, write: Callable[..., None], project: Path
) -> None:
    write(shell="[]")
    up("box", nodes=1)

    with pytest.raises(errors.NotSupported, match="has no shell") as caught:
        run_own_shell("box1", project=project)

    assert caught.value.remedies[0] == "invoke profile.show box --resolved"
