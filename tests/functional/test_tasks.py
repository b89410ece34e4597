"""The tasks as a user types them, each in a process of its own, against real clusters."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterlib.client.start import lock_of
from clusterlib.hosts import proc
from clusterlib.hosts.registry import Registry
from clusterlib.waiting import Deadline, poll

Invoke = Callable[..., subprocess.CompletedProcess[str]]
PATIENCE = 90


def environment(**more: str) -> dict[str, str]:
    ours = {key: value for key, value in os.environ.items() if not key.startswith(("CLUSTERLIB_", "CI"))}
    return {**ours, "NO_COLOR": "1", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **more}


def begun(process: subprocess.Popen[Any], folder: Path, sign: str) -> bool:
    """Waits until the sign is somewhere in the folder; not any longer once the process has ended."""
    poll(lambda: any(folder.rglob(sign)) or process.poll() is not None, Deadline(PATIENCE))
    return any(folder.rglob(sign))


def words(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "invoke", *arguments]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Path]:
    """A project that uses clusterlib. At its end nothing of its clusters lives."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    (tmp_path / "tasks.py").write_text("from clusterlib.invoke import namespace\n")
    (tmp_path / "shop.py").write_text("def total(n):\n    print('asked for', n)\n    return n * 2\n")
    yield tmp_path
    subprocess.run(
        words("cluster.down", "--all"), cwd=tmp_path, env=environment(), check=True, capture_output=True
    )
    ours = [entry for entry in Registry().entries() if entry.project == str(tmp_path)]
    assert not ours
    assert not [
        seen
        for pid in proc.processes()
        if (seen := proc.status(pid)) and seen.alive and str(tmp_path) in proc.command_line(pid)
    ]


@pytest.fixture
def invoke(shop: Path) -> Invoke:
    def run(*arguments: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words(*arguments),
            cwd=shop,
            env=environment(**more),
            input=stdin,
            text=True,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )

    return run


@pytest.fixture
def answer(invoke: Invoke) -> Callable[..., Any]:
    """Runs a task with --json; its exit code must be the one expected, its stdout one document, its stderr empty."""

    def ask(*arguments: str, code: int = 0, **more: Any) -> Any:
        at = arguments.index("--") if "--" in arguments else len(arguments)
        done = invoke(*arguments[:at], "--json", *arguments[at:], **more)
        assert done.returncode == code, done.stdout + done.stderr
        assert done.stderr == ""
        return json.loads(done.stdout)

    return ask


def test_a_cluster_is_started_looked_at_and_ended(invoke: Invoke) -> None:
    up = invoke("cluster.up", "--nodes", "2")
    assert up.returncode == 0, up.stderr
    assert "cluster default is ready: 2 nodes" in up.stdout
    assert "node2 is ready" in up.stderr
    assert "\x1b" not in up.stdout + up.stderr

    again = invoke("cluster.up")
    assert again.returncode == 0, again.stderr
    assert "is running already: 2 nodes" in again.stdout

    status = invoke("cluster.status")
    assert status.returncode == 0
    assert "cluster default is ready" in status.stdout
    assert "2/2" in status.stdout

    down = invoke("cluster.down")
    assert down.returncode == 0
    assert "stopped default" in down.stdout

    nothing = invoke("cluster.down")
    assert nothing.returncode == 0
    assert "was not running" in nothing.stdout


def test_what_needs_a_cluster_says_that_there_is_none(invoke: Invoke, answer: Callable[..., Any]) -> None:
    for task in ("status", "health", "restart", "shell", "logs", "events"):
        done = invoke(f"cluster.{task}")
        assert done.returncode == 3, (task, done.stderr)
        assert "try: invoke cluster.up" in done.stderr
        assert "Traceback" not in done.stderr
    assert answer("cluster.status", code=3)["error"]["code"] == "not-running"


def test_every_answer_is_one_json_document(answer: Callable[..., Any]) -> None:
    up = answer("cluster.up", "--nodes", "2", "--simulate")
    assert up["already_running"] is False
    assert up["cluster"]["simulated"] is True
    assert [node["name"] for node in up["cluster"]["nodes"]] == ["node1", "node2"]

    [cluster] = answer("cluster.status")["clusters"]
    assert cluster["state"] == "ready"
    assert answer("cluster.health")["healthy"] is True
    assert answer("cluster.scale", "3")["added"] == ["node3"]
    assert answer("cluster.restart", "node1")["restarted"] == ["node1"]
    assert answer("cluster.shell", "-c", "6 * 7")["value"] == "42"
    assert answer("cluster.logs")["running"] is True
    assert "cluster.ready" in [event["kind"] for event in answer("cluster.events")["events"]]
    assert answer("cluster.down")["stopped"] == ["default"]
    assert len(answer("cluster.clean")["folders"]) == 1


def test_a_simulated_cluster_is_marked_wherever_it_is_shown(invoke: Invoke) -> None:
    up = invoke("cluster.up", "--simulate")

    assert "[SIMULATED]" in up.stdout
    assert "[SIMULATED]" in up.stderr
    assert "[SIMULATED]" in invoke("cluster.status").stdout
    assert "[SIMULATED]" in invoke("cluster.health").stdout
    assert "[SIMULATED]" in invoke("cluster.run", "--", "true").stderr


def test_a_node_can_be_disturbed_and_health_tells_with_a_remedy(
    invoke: Invoke, answer: Callable[..., Any]
) -> None:
    answer("cluster.up", "--nodes", "3")
    assert "healthy" in invoke("cluster.health").stdout

    assert answer("cluster.pause", "node2")["node"]["state"] == "paused"
    paused = invoke("cluster.health")
    assert paused.returncode == 1
    assert "try: invoke cluster.resume node2" in paused.stdout
    assert answer("cluster.resume", "node2")["node"]["state"] == "ready"

    stopped = answer("cluster.stop", "node2")
    assert (stopped["what"], stopped["node"]["state"], stopped["node"]["pid"]) == ("stop", "stopped", None)
    assert answer("cluster.stop", "node2")["node"]["state"] == "stopped"
    told = invoke("cluster.health")
    assert told.returncode == 1
    assert "try: invoke cluster.start node2" in told.stdout
    assert "dirty: node2 was stopped" in invoke("cluster.status").stdout
    assert invoke("cluster.start", "node2").stdout.strip() == "node2 is ready"
    assert "dirty" not in invoke("cluster.status").stdout

    assert answer("cluster.kill", "node3")["node"]["state"] == "dead"
    assert "try: invoke cluster.start node3" in invoke("cluster.stop", "node3").stderr
    killed = answer("cluster.health", code=1)
    [dead] = [node for node in killed["nodes"] if node["node"] == "node3"]
    assert dead["healthy"] is False

    assert answer("cluster.restart", "node3")["cluster"]["state"] == "ready"
    unknown = answer("cluster.kill", "node9", code=2)
    assert unknown["error"]["code"] == "unknown-node"


def test_a_node_stopped_behind_the_keepers_back_is_found_and_can_be_continued(
    answer: Callable[..., Any],
) -> None:
    up = answer("cluster.up", "--nodes", "3")
    pid = next(node["pid"] for node in up["cluster"]["nodes"] if node["name"] == "node2")
    os.kill(pid, signal.SIGSTOP)
    try:
        health = answer("cluster.health", code=1)
    finally:
        os.kill(pid, signal.SIGCONT)

    remedies = {
        remedy for node in health["nodes"] for finding in node["checks"] for remedy in finding["remedies"]
    }
    assert f"kill -CONT {pid}" in remedies


def test_nodes_are_added_and_removed_while_others_go_on(answer: Callable[..., Any]) -> None:
    before = answer("cluster.up", "--nodes", "2")["cluster"]["nodes"]

    assert answer("cluster.scale", "4")["added"] == ["node3", "node4"]
    smaller = answer("cluster.scale", "2")

    assert smaller["removed"] == ["node3", "node4"]
    assert [node["pid"] for node in smaller["cluster"]["nodes"]] == [node["pid"] for node in before]


def test_a_command_gets_a_cluster_and_its_exit_code_is_passed_on(invoke: Invoke, shop: Path) -> None:
    program = shop / "use it.py"
    program.write_text(
        "import clusterlib, os, sys\n"
        "cluster = clusterlib.attach()\n"
        "told = dict(pair.split('=', 1) for pair in os.environ['CLUSTERLIB_NODES'].split(','))\n"
        "assert told == {n.name: f\"{n.address}:{n.ports['cluster']}\" for n in cluster}, told\n"
        "assert os.environ['CLUSTERLIB_HTTP'].startswith('node1=http://127.0.0.1:')\n"
        "assert os.path.exists(os.environ['CLUSTERLIB_COOKIE_FILE'])\n"
        "print('total', cluster['node1'].call('shop:total', 21), sys.argv[1:])\n"
        "sys.exit(17)\n"
    )

    done = invoke("cluster.run", "--nodes", "2", "--", sys.executable, str(program), "a b", "--json")

    assert done.returncode == 17, done.stderr
    assert "total 42 ['a b', '--json']" in done.stdout
    assert "failed with exit code 17" in done.stderr
    assert "| asked for 21" in done.stderr
    assert "run folder" in done.stderr
    assert invoke("cluster.status").returncode == 3


SECRETS = {"DB_PASSWORD": "Sup3rSecret-42"}


@pytest.mark.parametrize("task", [["cluster.up"], ["cluster.run", "--", "true"], ["cluster.up", "--json"]])
def test_a_start_that_fails_shows_no_secret(invoke: Invoke, shop: Path, task: list[str]) -> None:
    (shop / "shop.py").write_text(
        "import os\n\n\ndef serve():\n"
        "    raise ValueError('bad ' + os.environ['DB_PASSWORD'] + ' of ' + os.environ['SHOP_TOKEN'])\n"
    )
    (shop / "profiles").mkdir()
    (shop / "profiles" / "shop.toml").write_text(
        'extends = "ci-small"\n[python]\napp = "shop:serve"\n[environment]\nSHOP_TOKEN = "of-the-profile-1"\n'
    )

    done = invoke(*task[:1], "--profile", "shop", *task[1:], **SECRETS)

    shown = done.stdout + done.stderr
    assert done.returncode == 1, shown
    assert "ValueError: bad [redacted] of [redacted]" in shown, shown
    assert SECRETS["DB_PASSWORD"] not in shown
    assert "of-the-profile-1" not in shown


def test_the_last_lines_of_nodes_show_no_secret(invoke: Invoke) -> None:
    call = "import clusterlib; clusterlib.attach()['node1'].call('shop:total', 'Sup3rSecret-42'); raise SystemExit(3)"

    done = invoke("cluster.run", "--nodes", "2", "--", sys.executable, "-c", call, **SECRETS)

    assert "| asked for [redacted]" in done.stderr
    assert SECRETS["DB_PASSWORD"] not in done.stderr.partition("failed with exit code")[2].partition("\n")[2]


def test_without_a_command_the_tests_of_the_profile_are_run(invoke: Invoke, shop: Path) -> None:
    (shop / "tests").mkdir()
    (shop / "tests" / "test_it.py").write_text(
        "import clusterlib\n\n\ndef test_it():\n    assert len(clusterlib.attach()) == 2\n"
    )

    found = invoke("cluster.run", "--nodes", "2")
    assert found.returncode == 0, found.stdout
    assert "1 passed" in found.stdout, "without a word in any profile: what pytest finds"

    passed = invoke("cluster.run", "--nodes", "2", CLUSTERLIB_TESTS_PATHS="tests")
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "1 passed" in passed.stdout

    missing = invoke("cluster.run", CLUSTERLIB_TESTS_PATHS="elsewhere")
    assert missing.returncode == 2
    assert "elsewhere" in missing.stderr


def test_a_running_cluster_is_borrowed_and_left_running(answer: Callable[..., Any]) -> None:
    before = answer("cluster.up", "--nodes", "2")["cluster"]

    ran = json.loads(json.dumps(answer("cluster.run", "--", "true")))
    after = answer("cluster.status")["clusters"][0]

    assert ran["borrowed"] is True
    assert [node["pid"] for node in after["nodes"]] == [node["pid"] for node in before["nodes"]]


def test_with_json_what_the_command_prints_does_not_spoil_the_answer(invoke: Invoke) -> None:
    done = invoke("cluster.run", "--nodes", "1", "--json", "--", "echo", "hello")

    assert json.loads(done.stdout)["exit_code"] == 0
    assert done.stderr == "hello\n"


def test_a_run_that_takes_too_long_is_ended(invoke: Invoke) -> None:
    done = invoke("cluster.run", "--nodes", "1", "--timeout", "3", "--", "tail", "-f", "/dev/null")

    assert done.returncode == 124
    assert "timed out after 3 s" in done.stderr
    assert invoke("cluster.status").returncode == 3


def test_a_program_that_is_not_there_is_an_error_and_leaves_no_cluster(invoke: Invoke) -> None:
    done = invoke("cluster.run", "--nodes", "1", "--", "no-such-program")

    assert done.returncode == 1
    assert "[program-missing]" in done.stderr
    assert invoke("cluster.status").returncode == 3


def test_several_clusters_live_side_by_side(invoke: Invoke, answer: Callable[..., Any]) -> None:
    answer("cluster.up", "--nodes", "1")
    answer("cluster.up", "--nodes", "1", "--name", "second")

    both = answer("cluster.status")["clusters"]
    assert sorted(cluster["name"] for cluster in both) == ["default", "second"]
    assert len(answer("cluster.status", "--name", "second")["clusters"]) == 1
    assert sorted(answer("cluster.down", "--all")["stopped"]) == ["default", "second"]
    assert "no cluster of this project was running" in invoke("cluster.down", "--all").stdout


def test_another_profile_under_the_same_name_is_a_conflict(answer: Callable[..., Any]) -> None:
    answer("cluster.up", "--nodes", "1")

    error = answer("cluster.up", "--profile", "ci-large", code=1)["error"]

    assert error["code"] == "conflict"
    assert error["remedies"]


def test_a_prompt_reads_statements_from_a_pipe(invoke: Invoke) -> None:
    invoke("cluster.up", "--nodes", "2")
    session = "import shop\ndef f(n):\n    return shop.total(n)\n\nf(4)\n_ + 1\nthis_node().name\n"

    done = invoke("cluster.shell", "node2", stdin=session)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["asked for 4", "8", "9", "'node2'"]


def test_an_exception_in_the_node_ends_the_script_and_is_shown(invoke: Invoke) -> None:
    invoke("cluster.up", "--nodes", "1")

    piped = invoke("cluster.shell", stdin="1 / 0\nprint('not reached')\n")
    given = invoke("cluster.shell", "-c", "1 / 0")

    for done in (piped, given):
        assert done.returncode == 1
        assert "ZeroDivisionError" in done.stderr
        assert done.stdout == ""


def test_logs_are_merged_filtered_and_outlive_the_cluster(invoke: Invoke, answer: Callable[..., Any]) -> None:
    answer("cluster.up", "--nodes", "2")
    for node, number in (("node1", 1), ("node2", 2), ("node1", 3)):
        answer("cluster.shell", node, "-c", f"import os; os.write(1, b'order {number}\\n')")
    wanted = [("node1", "order 1"), ("node2", "order 2"), ("node1", "order 3")]

    def said(*arguments: str) -> list[tuple[str, str]]:
        lines = answer("cluster.logs", *arguments)["lines"]
        return [(line["node"], line["text"]) for line in lines]

    assert poll(lambda: len(said("--grep", "^order")) == 3, Deadline(20))
    assert said("--grep", "^order") == wanted
    assert said("node2", "--grep", "^order", "--since", "1h") == wanted[1:2]
    answer("cluster.down")
    assert said("--grep", "^order", "--lines", "1") == wanted[2:]
    assert "last run" in invoke("cluster.logs").stderr


def test_followed_logs_and_events_end_with_the_cluster(invoke: Invoke, shop: Path) -> None:
    invoke("cluster.up", "--nodes", "1")
    followers = [
        subprocess.Popen(
            words(task, "--follow"),
            cwd=shop,
            env=environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for task in ("cluster.logs", "cluster.events")
    ]
    invoke("cluster.shell", "-c", "import os; os.write(1, b'last words\\n')")
    invoke("cluster.down")

    logs, events = (follower.communicate(timeout=PATIENCE) for follower in followers)

    assert [follower.returncode for follower in followers] == [0, 0]
    assert "last words" in logs[0]
    assert "cluster stopped" in events[0]


def test_a_reader_that_leaves_early_is_no_error(invoke: Invoke, shop: Path) -> None:
    invoke("cluster.up", "--nodes", "1")

    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m invoke cluster.events | head -1"],
        cwd=shop,
        env=environment(),
        text=True,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )

    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_a_machine_that_is_fit_passes_the_doctor(invoke: Invoke, answer: Callable[..., Any]) -> None:
    found = answer("cluster.doctor")

    assert found["ok"] is True
    assert {"python", "localhost", "containment", "ports for cluster", "templates"} <= {
        finding["name"] for finding in found["findings"]
    }
    assert "can start here" in invoke("cluster.doctor").stdout


def test_the_doctor_goes_on_after_a_broken_profile_and_fails(invoke: Invoke, shop: Path) -> None:
    (shop / "profiles").mkdir()
    (shop / "profiles" / "broken.toml").write_text("[nodes]\ncount = 'many'\n")

    done = invoke("cluster.doctor", "--profile", "broken")

    assert done.returncode == 1
    assert "broken.toml:2" in done.stdout
    assert "containment" in done.stdout


def test_a_template_that_asks_for_an_unknown_name_is_a_mistake_of_its_profile(
    invoke: Invoke, shop: Path
) -> None:
    (shop / "profiles").mkdir()
    (shop / "templates").mkdir()
    (shop / "templates" / "shop.conf.j2").write_text("# a shop\nname = {{ nod.name }}\n")
    (shop / "profiles" / "odd.toml").write_text(
        'extends = "dev"\n[templates]\n"shop.conf" = "shop.conf.j2"\n'
    )

    checked = invoke("profile.check", "odd")
    refused = invoke("cluster.up", "--profile", "odd")

    assert (checked.returncode, refused.returncode) == (2, 2)
    assert "shop.conf.j2:2" in checked.stdout
    assert "shop.conf.j2:2" in refused.stderr


def test_profiles_are_listed_shown_and_checked(
    invoke: Invoke, answer: Callable[..., Any], shop: Path
) -> None:
    names = [profile["name"] for profile in answer("profile.list")["profiles"]]
    assert {"dev", "ci-small", "ci-large"} <= set(names)

    assert answer("profile.show", "ci-small")["resolved"] is False
    values = answer("profile.show", "dev", "--resolved", CLUSTERLIB_NODES_COUNT="4")["values"]
    [count] = [value for value in values if value["field"] == "nodes.count"]
    assert (count["value"], count["source"]) == (4, "environment")

    assert answer("profile.check")["ok"] is True
    (shop / "profiles").mkdir()
    (shop / "profiles" / "broken.toml").write_text("[nodes]\ncuont = 3\n[timeouts]\nstart = -1\n")
    checked = invoke("profile.check", "broken")
    assert checked.returncode == 2
    assert "broken.toml:2" in checked.stdout
    assert "broken.toml:4" in checked.stdout

    refused = invoke("cluster.up", "--profile", "broken")
    assert refused.returncode == 2
    assert "broken.toml:2" in refused.stderr
    assert "Traceback" not in refused.stderr

    schema = json.loads(invoke("profile.schema").stdout)
    assert "nodes" in schema["properties"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("cluster.up", "--nodes", "many"),
        ("cluster.up", "--nodes", "0"),
        ("cluster.up", "--name", "a/b"),
        ("cluster.up", "--profile", "no-such-profile"),
        ("cluster.scale",),
        ("cluster.logs", "--since", "yesterday"),
        ("cluster.run", "--timeout", "soon", "--", "true"),
    ],
    ids=" ".join,
)
def test_bad_input_is_explained_with_exit_code_2_and_starts_nothing(
    invoke: Invoke, arguments: tuple[str, ...]
) -> None:
    done = invoke(*arguments)

    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("cluster.up 3", "invoke cluster.up --nodes 3"),
        ("cluster.up --node 3", "invoke cluster.up --nodes 3"),
        ("cluster.upp", "invoke cluster.up"),
        ("cluster.kill node1 node2", "invoke cluster.kill node1 && invoke cluster.kill node2"),
    ],
)
def test_words_that_make_no_sense_are_refused_with_what_would(
    line: str, right: str, answer: Callable[..., Any]
) -> None:
    assert answer(*line.split(), code=2)["error"]["remedies"][0] == right


def test_an_application_that_does_not_start_fails_with_its_own_words(invoke: Invoke, shop: Path) -> None:
    (shop / "app.py").write_text("def start():\n    raise ValueError('no database at db:5432')\n")

    done = invoke("cluster.up", CLUSTERLIB_PYTHON_APP="app:start")

    assert done.returncode == 1
    assert "no database at db:5432" in done.stderr
    assert "[application-failed]" in done.stderr
    assert invoke("cluster.status").returncode == 3


@pytest.mark.parametrize("task", [("cluster.up",), ("cluster.run", "--", "tail", "-f", "/dev/null")])
def test_an_interruption_while_a_cluster_starts_leaves_nothing(shop: Path, task: tuple[str, ...]) -> None:
    (shop / "app.py").write_text(
        "import pathlib, threading\n\n\n"
        "def start():\n    pathlib.Path('starting').touch()\n    threading.Event().wait()\n"
    )
    at = task.index("--") if "--" in task else len(task)
    arguments = (*task[:at], "--nodes", "2", *task[at:])
    starting = subprocess.Popen(
        words(*arguments),
        cwd=shop,
        env=environment(CLUSTERLIB_PYTHON_APP="app:start"),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert begun(starting, shop, "starting")

    starting.send_signal(signal.SIGINT)
    _, said = starting.communicate(timeout=PATIENCE)

    assert starting.returncode == 130
    assert said.endswith("interrupted\n")
    assert not [entry for entry in Registry().entries() if entry.project == str(shop)]


def test_an_interruption_of_a_command_ends_it_and_its_cluster(invoke: Invoke, shop: Path) -> None:
    running = subprocess.Popen(
        words("cluster.run", "--nodes", "1", "--", "sh", "-c", "touch begun; exec tail -f /dev/null"),
        cwd=shop,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert begun(running, shop, "begun")

    running.send_signal(signal.SIGINT)
    running.communicate(timeout=PATIENCE)

    assert running.returncode == 130
    assert invoke("cluster.status").returncode == 3


def test_a_runner_that_is_killed_takes_its_cluster_along(invoke: Invoke, shop: Path) -> None:
    running = subprocess.Popen(
        words("cluster.run", "--nodes", "1", "--", "sh", "-c", "touch begun; exec tail -f /dev/null"),
        cwd=shop,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert begun(running, shop, "begun")

    running.kill()
    running.wait()

    assert poll(
        lambda: not [entry for entry in Registry().entries() if entry.project == str(shop)],
        Deadline(PATIENCE),
    )
    assert invoke("cluster.status").returncode == 3


def test_clean_removes_stopped_runs_and_leaves_running_ones(
    invoke: Invoke, answer: Callable[..., Any], shop: Path
) -> None:
    answer("cluster.run", "--nodes", "1", "--", "true")
    answer("cluster.up", "--nodes", "1")
    assert len(list((shop / ".clusterlib" / "default").iterdir())) == 2

    cleaned = answer("cluster.clean", "--all")

    assert len(cleaned["folders"]) == 1
    assert cleaned["running"] == ["default"]
    assert answer("cluster.health")["healthy"] is True
    answer("cluster.down")
    assert len(answer("cluster.clean", "--all")["folders"]) == 1
    assert not (shop / ".clusterlib" / "default").exists()


def test_neither_a_failed_start_nor_a_clean_leaves_a_lock(
    invoke: Invoke, answer: Callable[..., Any], shop: Path
) -> None:
    lock, of_a_dead_cluster = lock_of(shop, "default"), lock_of(shop / "gone", "default")
    assert of_a_dead_cluster.take()
    of_a_dead_cluster.let_go()

    assert invoke("cluster.up", "--profile", "nowhere").returncode != 0
    assert not lock.path.exists()

    answer("cluster.clean")
    assert not lock.path.exists()
    assert not of_a_dead_cluster.path.exists()
