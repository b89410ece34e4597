"""The live prompt, at a real terminal and without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clusterlib.operations.down import bring_down
from clusterlib.rundir.context import read_context
from tests.functional.conftest import Up
from tests.functional.live.prompts import live, prompt

OPERATION = """
from clusterlib import Cluster
from clusterlib.operations import NodeName, operation

@operation(effect="read", group="shop")
def price(cluster: Cluster, node: NodeName | None = None) -> str:
    "Say a price."
    return f"{node or 'all'} of {cluster.name}: 1"
"""


@pytest.mark.parametrize("term", ["xterm", "dumb", ""])
def test_a_person_looks_breaks_and_mends_at_any_terminal(term: str, project: Path, up: Up) -> None:
    up("ci-small")
    with prompt(project, term=term) as terminal:
        terminal.shows("default [ready]> ")
        terminal.type("status\n")
        terminal.shows("node2  ready")
        terminal.type("kill node2\n")
        terminal.shows("node2 is dead")
        terminal.type("logs nodde2\n")
        terminal.shows("error:")
        terminal.type("restart node2\n")
        terminal.shows("node2 restarted")
        terminal.type("exit\n")
        assert terminal.ends() == 0


def test_remedies_are_worded_as_they_are_typed_here(project: Path, up: Up) -> None:
    up("ci-small")

    done = live(project, "-c", "restrt; status")
    assert done.returncode == 2
    assert "try: restart\n" in done.stderr
    assert "try: help\n" in done.stderr
    done = live(project, "-c", "kill node2; health")
    assert done.returncode == 1
    assert "  try: restart node2\n" in done.stdout + done.stderr
    done = live(project, "-c", "use other; logs")
    assert "try: up\n" in done.stderr
    assert "invoke" not in done.stderr
    assert "clusterlib" not in done.stderr.replace(".clusterlib", "")


def test_commands_come_from_a_pipe_up_to_the_first_that_fails(project: Path, up: Up) -> None:
    up("ci-small")

    done = live(project, typed="status  # how it is\n\nhealth && status\n")
    assert done.returncode == 0
    assert done.stdout.count("cluster default is ready") == 2
    done = live(project, typed="statsu\nstatus\n")
    assert done.returncode == 2
    assert done.stdout == ""
    done = live(project, "-c", "exit; statsu")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_answers_go_as_json_to_a_file_or_a_program(project: Path, up: Up) -> None:
    up("ci-small")
    count = (
        f'{sys.executable} -c \'import json, sys; print(len(json.load(sys.stdin)["clusters"][0]["nodes"]))\''
    )

    done = live(project, "-c", f"status > 'the status.json'; status | {count}; status | true; nothing > x")

    assert done.stdout == "2\n"
    assert done.returncode == 2
    assert json.loads((project / "the status.json").read_text())["clusters"][0]["name"] == "default"
    assert live(project, "-c", "status | false").returncode == 1
    assert "no-such-program" in live(project, "-c", "status | no-such-program").stderr
    done = live(project, "-c", "kill nodde2 > x")
    assert done.returncode == 2
    assert "there is no node" in done.stderr or "nodde2" in done.stderr
    assert (project / "x").read_text() == ""


def test_with_json_each_answer_takes_a_line(project: Path, up: Up) -> None:
    up("ci-small")

    done = live(project, "--json", "-c", "status; health; statsu")

    status, health, error = map(json.loads, done.stdout.splitlines())
    assert status["clusters"][0]["state"] == "ready"
    assert health["healthy"]
    assert error["error"]["code"] == "usage"
    assert done.returncode == 2


def test_what_is_chosen_holds_for_later_commands_and_sessions(project: Path, up: Up) -> None:
    up("ci-small", name="shop")
    with prompt(project) as terminal:
        terminal.shows("default [not running]> ")
        terminal.type("use shop\n")
        terminal.shows("shop [ready]> ")
        terminal.type("node node2\n")
        terminal.shows("shop:node2 [ready]> ")
        terminal.type("pause\n")
        terminal.shows("node2 is paused")
        terminal.type("resume node2\n")
        terminal.shows("node2 is ready")
        terminal.shows("shop:node2 [ready]> ")
        terminal.type("\x04")
        assert terminal.ends() == 0
    with prompt(project) as terminal:
        terminal.shows("shop:node2 [ready]> ")
        terminal.type("node\n")
        terminal.shows("shop [ready]> ")
    context = project / ".clusterlib" / "context.json"
    assert oct(context.stat().st_mode & 0o777) == "0o600"
    assert read_context(project).cluster == "shop"
    assert "default" in live(project, "-c", "logs").stderr  # a script depends on no earlier session


def test_what_destroys_is_asked_unless_its_name_was_typed(project: Path, up: Up) -> None:
    up("ci-small")
    with prompt(project) as terminal:
        terminal.shows("[ready]> ")
        terminal.type("node node2\n")
        terminal.shows("default:node2 [ready]> ")
        terminal.type("kill\n")
        terminal.shows("kill, for node2 of cluster default? [y/N] ")
        terminal.type("n\n")
        terminal.shows("default:node2 [ready]> ")
        terminal.type("kill\n")
        terminal.shows("? [y/N] ")
        terminal.type("y\n")
        terminal.shows("node2 is dead")
        terminal.type("down\n")
        terminal.shows("down, for cluster default? [y/N] ")
        terminal.type("yes\n")
        terminal.shows("stopped default")
        terminal.shows("[not running]> ")
    history = project / ".clusterlib" / "live_history"
    assert history.read_text().splitlines() == ["node node2", "kill", "down"]  # and no answers


def test_options_that_do_not_name_the_target_do_not_replace_the_question(project: Path, up: Up) -> None:
    cluster = up("ci-small", name="shop")
    with prompt(project) as terminal:
        terminal.shows("> ")
        terminal.type("use shop\nexit\n")
        assert terminal.ends() == 0
    with prompt(project) as terminal:
        terminal.shows("shop [ready]> ")
        for line in ("restart --fresh", "restart --rolling", "scale 1", "scale 1 --role node"):
            terminal.type(f"{line}\n")
            terminal.shows(f"{line.split()[0]}, for cluster shop? [y/N] ")
            terminal.type("n\n")
            terminal.shows("shop [ready]> ")
        terminal.type("restart --fresh --dry-run\n")
        terminal.shows("would be deleted")
        terminal.shows("shop [ready]> ")
        terminal.type("node node2\n")
        terminal.shows("shop:node2 [ready]> ")
        terminal.type("restart --fresh\n")
        terminal.shows("restart, for node2 of cluster shop? [y/N] ")
        terminal.type("n\n")
        terminal.shows("shop:node2 [ready]> ")
        assert [node.name for node in cluster] == ["node1", "node2"]
        terminal.type("kill node2\n")  # it was typed, though it was chosen, too
        terminal.shows("node2 is dead")
        terminal.type("down --name shop\n")
        terminal.shows("stopped shop")


def test_a_choice_that_is_damaged_or_cannot_be_kept_hinders_nobody(project: Path) -> None:
    context = project / ".clusterlib" / "context.json"
    context.parent.mkdir()
    context.write_text('{"cluster": "../../etc", "nodes": []}')
    with prompt(project) as terminal:
        terminal.shows("default [not running]> ")
        context.unlink()
        (project / ".clusterlib" / "context.json").mkdir()
        terminal.type("use shop\n")
        terminal.shows("note: this is not remembered")
        terminal.shows("shop [not running]> ")


def test_a_stream_ends_with_ctrl_c_and_the_prompt_comes_back(project: Path, up: Up) -> None:
    up("ci-small")
    with prompt(project) as terminal:
        terminal.shows("[ready]> ")
        terminal.type("events --follow\n")
        terminal.shows("cluster is ready")
        terminal.type("\x03")
        terminal.shows("interrupted")
        terminal.shows("[ready]> ")
        terminal.type("half a line\x03")
        terminal.shows("[ready]> ")
        terminal.type("status\n")
        terminal.shows("node2  ready")


def test_an_answer_that_cannot_be_written_does_not_end_the_prompt(project: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with prompt(project) as terminal:
        terminal.shows("> ")
        for line in ("profile list > /dev/full", "profile list >> /dev/full"):
            terminal.type(f"{line}\n")
            terminal.shows("error: /dev/full cannot be written [usage]")
            terminal.shows("No space left on device")
            terminal.shows("[not running]> ")
        terminal.type("profile list\n")
        terminal.shows("ci-small")
        terminal.type("exit\n")
        assert terminal.ends() == 0


def test_an_operation_that_raises_does_not_end_the_prompt(project: Path, operations: Path) -> None:
    (operations / "price.py").write_text(
        "from clusterlib.operations import operation\n"
        "@operation(effect='read', group='shop')\n"
        "def price() -> str:\n"
        "    raise OSError(28, 'no space')\n"
    )
    with prompt(project) as terminal:
        terminal.shows("> ")
        terminal.type("shop price\n")
        terminal.shows("price.py")
        terminal.shows("OSError: [Errno 28] no space")
        terminal.shows("[not running]> ")
        terminal.type("exit\n")
        assert terminal.ends() == 0
    assert live(project, "-c", "shop price").returncode == 1


def test_ctrl_c_while_a_file_of_the_project_is_imported_leads_back_to_the_prompt(
    project: Path, operations: Path
) -> None:
    waiting = "import threading\nprint('imp' + 'orting', flush=True)\nthreading.Event().wait(300)\n"
    file = operations / "price.py"
    file.write_text(waiting + OPERATION.replace("cluster: Cluster, ", "").replace(" of {cluster.name}", ""))
    with prompt(project) as terminal:
        terminal.shows("> ")
        for _ in range(2):
            terminal.type("shop price\n")
            terminal.shows("importing")
            terminal.type("\x03")
            terminal.shows("interrupted")
            terminal.shows("[not running]> ")
        file.write_text(file.read_text().removeprefix(waiting))
        terminal.type("shop price node1\n")
        terminal.shows("node1: 1")
        terminal.shows("[not running]> ")
        file.write_text(waiting + file.read_text().replace(": 1", ": 2"))
        terminal.type("shop price node2\n")  # the file is imported when it is noticed
        terminal.shows("importing")
        terminal.type("\x03")
        terminal.shows("interrupted")
        terminal.shows("[not running]> ")
        file.write_text(file.read_text().removeprefix(waiting))
        terminal.type("shop price node2\n")
        terminal.shows("node2: 2")


def test_a_cluster_that_ends_and_starts_again_shows_at_the_open_prompt(project: Path, up: Up) -> None:
    cluster = up("ci-small")
    with prompt(project) as terminal:
        terminal.shows("[ready]> ")
        terminal.type("stat")
        cluster["node2"].kill()
        terminal.shows("[degraded, 1 of 2 ready]> stat")
        bring_down(project=project)
        terminal.shows("[not running]> stat")
        up("ci-small", simulate=True)
        terminal.shows("[ready, SIMULATED]> stat")
        terminal.type("us\n")
        terminal.shows("[SIMULATED] is ready")


def test_names_are_completed(project: Path, operations: Path, up: Up) -> None:
    up("ci-small")
    up("ci-small", name="warehouse")
    (operations / "price.py").write_text(OPERATION)
    with prompt(project) as terminal:
        terminal.shows("[ready]> ")
        terminal.type("use wareh\t\n")
        terminal.shows("warehouse [ready]> ")
        terminal.type("shop pri\tnode2\t\n")
        terminal.shows("node2 of warehouse: 1")
        terminal.type("restart --na\tdef\t--rol\t")
        terminal.shows("restart --name default --rolling")
        terminal.type("\x15kill \t")
        terminal.shows("node1  node2")
        terminal.type("\x15status --name warehouse; kill node1 --name def\t")
        terminal.shows("--name default ")


def test_processes_are_completed(project: Path, up: Up) -> None:
    (project / "shop.py").write_text(
        "from clusterlib.runtime import this_node\n"
        "async def till(box):\n"
        "    async for message in box:\n"
        "        box.reply(message)\n"
        "def open_till():\n"
        "    return this_node().processes.spawn(till, name='till:7')\n"
    )
    up("ci-small")["node1"].call("shop:open_till")
    with prompt(project) as terminal:
        terminal.shows("[ready]> ")
        terminal.type("processes show til\t\n")
        terminal.shows("processes show till:7 ")
        terminal.shows("shop")


def test_an_operation_is_there_as_soon_as_its_file_is_and_a_broken_one_is_named(
    project: Path, operations: Path, up: Up
) -> None:
    up("ci-small")
    file = operations / "price.py"
    with prompt(project) as terminal:
        terminal.shows("[ready]> ")
        file.write_text(OPERATION)
        terminal.type("shop price\n")
        terminal.shows("all of default: 1")
        file.write_text(OPERATION.replace(": 1", ": 2"))
        terminal.type("shop price node1\n")
        terminal.shows("node1 of default: 2")
        file.write_text(OPERATION.replace("def price", "def (price"))
        terminal.type("\n")
        terminal.shows(f"{file}:6: invalid syntax; its last version that worked stays in use")
        terminal.type("shop price node2\n")
        terminal.shows("node2 of default: 2")
        file.unlink()
        terminal.type("shop price\n")
        terminal.shows("there is no command 'shop'")


def test_help_is_about_this_prompt(project: Path) -> None:
    done = live(project, "-c", "help; help restart; help use; help profile; restart --help")

    assert done.returncode == 0
    assert "usage: restart [NODE]" in done.stdout
    assert "use NAME" in done.stdout
    assert "usage: profile" not in done.stdout
    assert "clusterlib restart" not in done.stdout
    assert "  live " not in done.stdout


def test_invoke_opens_it_too(project: Path) -> None:
    (project / "tasks.py").write_text("from clusterlib.invoke import namespace\n")

    done = subprocess.run(
        [sys.executable, "-m", "invoke", "cluster.live", "-c", "profile list; live"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "100"},
    )

    assert "ci-small" in done.stdout
    assert "this is the live prompt already" in done.stderr
    assert done.returncode == 2
