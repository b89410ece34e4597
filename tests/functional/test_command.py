"""Driver `command`: a profile alone brings up any program as a cluster, and everything that can go wrong says so."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

import clusterlib
from clusterlib import errors
from clusterlib.hosts import proc
from clusterlib.operations.health import examine_health
from clusterlib.operations.shell import run_own_shell
from tests.functional.conftest import Up

SERVER = """\
import os, signal, socket, sys, time

port, mode = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "well"
os.write(1, b"caf\\xe9 says hello\\n")
if mode == "bad":
    sys.exit("unknown argument: bad")
if mode == "crashes":
    print("PANIC: the index is broken", flush=True)
    time.sleep(600)
def stop(*_):
    print("asked to stop", flush=True)
    sys.exit(0)
signal.signal(signal.SIGINT, stop)
listener = socket.create_server(("127.0.0.1", port))
print(f"listening, {os.environ.get('GREETING')}, uid {os.getuid()}", flush=True)
while True:
    client, _ = listener.accept()
    with client:
        asked = client.recv(100)
        if asked.startswith(b"DIE"):
            os._exit(9)
        if asked:
            known = sorted(os.listdir("../../members")) if os.path.isdir("../../members") else []
            client.sendall(b"PONG " + " ".join(known).encode())
"""

PROFILE = f"""\
driver = "command"
[nodes]
count = 3
name = "box{{index}}"
[ports]
client = "29000-29199"
[timeouts]
start = 10.0
[environment]
GREETING = "I am {{{{ node.name }}}}"
[command]
program = "{sys.executable}"
arguments = ["-u", "{{{{ cluster.project }}}}/server.py", "{{{{ node.ports.client }}}}", "{{% if false %}}bad{{% endif %}}"]
stop = "SIGINT"
crash = ["^PANIC"]
shell = ["echo", "{{{{ node.name }}}}"]
[ready]
send = "hello"
answer = "^PONG"
"""

FORMING = '''
[form]
command = ["sh", "-c", """
mkdir ../../members; cd ../../members
for n in{% for n in cluster.nodes %} {{ n.name }}{% endfor %}; do echo joining $n; echo x >> $n; done"""]
[formed]
send = "who"
answer = "{% for n in alive %}{{ n }}.*{% endfor %}"
'''


@pytest.fixture
def write(project: Path) -> Callable[..., None]:
    """Writes the profile `box`, with more sections, and with parts of it replaced."""
    (project / "server.py").write_text(SERVER)
    (project / "profiles").mkdir()

    def profile(more: str = "", **replaced: str) -> None:
        text = PROFILE
        for old, new in replaced.items():
            lines = [f"{old} = {new}" if line.startswith(f"{old} = ") else line for line in text.splitlines()]
            text = "\n".join(lines) + "\n"
        (project / "profiles/box.toml").write_text(text + more)

    return profile


def arguments(mode: str) -> str:
    return f'["-u", "{{{{ cluster.project }}}}/server.py", "{{{{ node.ports.client }}}}", "{mode}"]'


def say(cluster: clusterlib.Cluster, name: str, text: bytes) -> bytes:
    with socket.create_connection((cluster[name].address, cluster[name].ports["client"]), timeout=5) as talk:
        talk.sendall(text)
        return talk.recv(1000)


def test_a_profile_alone_makes_a_cluster_of_any_program(up: Up, write: Callable[..., None]) -> None:
    write(FORMING)

    cluster = up("box")

    assert [node.name for node in cluster] == ["box1", "box2", "box3"]
    assert cluster.state == "ready"
    assert say(cluster, "box2", b"who") == b"PONG box1 box2 box3"
    assert "I am box2" in cluster["box2"].log()
    assert all(node["view"] == ["box1", "box2", "box3"] for node in cluster.status()["nodes"])
    members = cluster.run_folder.path / "members"
    assert {one.read_text() for one in members.iterdir()} == {"x\n"}, "a cluster is formed once"
    assert "joining box3" in cluster["box1"].log(), (
        "what forms the cluster speaks in the log of the first node"
    )


def test_what_is_not_utf8_does_no_harm(up: Up, write: Callable[..., None]) -> None:
    write('\n[form]\ncommand = ["printf", "\\\\351\\\\n"]\n')

    cluster = up("box")

    assert "caf\N{REPLACEMENT CHARACTER} says hello" in cluster["box1"].log()


def test_a_killed_node_is_missed_and_comes_back_with_the_data_it_had(
    up: Up, write: Callable[..., None]
) -> None:
    write(FORMING)
    cluster = up("box")
    kept = cluster.run_folder.node("box2") / "data" / "kept"
    kept.write_text("mine")

    cluster["box2"].kill()

    assert cluster.state == "degraded"
    assert all("box2" not in node["view"] for node in cluster.status()["nodes"])
    cluster["box2"].restart()
    assert cluster.state == "ready"
    assert kept.read_text() == "mine"


def test_all_can_be_restarted_and_are_asked_to_stop_in_their_own_way(
    up: Up, write: Callable[..., None]
) -> None:
    write(FORMING)
    cluster = up("box")

    cluster.restart()

    assert cluster.state == "ready"
    assert all("asked to stop" in node.log() for node in cluster)


def test_a_rolling_restart_stops_one_only_when_the_last_one_is_back(
    up: Up, write: Callable[..., None]
) -> None:
    write(FORMING)
    cluster = up("box")
    before = [node.pid for node in cluster]

    cluster.restart(rolling=True)

    assert not set(before) & {node.pid for node in cluster}
    told = [json.loads(line) for line in cluster.run_folder.events.read_text().splitlines()]
    moves = [(one["node"], one["state"]) for one in told if one["kind"] == "node.state"][-12:]
    order = [move for move in moves if move[1] in {"stopping", "ready"}]
    assert order == [(f"box{n}", state) for n in (1, 2, 3) for state in ("stopping", "ready")]


def test_a_stop_command_takes_the_place_of_the_signal(up: Up, write: Callable[..., None]) -> None:
    die = "import socket; socket.create_connection(('127.0.0.1', {{ node.ports.client }})).sendall(b'DIE')"
    write(stop=f'"SIGUSR1"\nstop_command = ["{sys.executable}", "-c", "{die}"]')
    cluster = up("box")

    cluster.restart("box1")

    assert "exited with code 9" in (cluster.run_folder.events).read_text()


def test_nodes_can_be_added_and_taken_away_where_the_profile_does_not_forbid_it(
    up: Up, write: Callable[..., None]
) -> None:
    write()
    cluster = up("box")

    cluster.scale(5)
    assert len(cluster) == 5
    assert cluster.state == "ready"
    cluster.scale(2)
    assert cluster.state == "ready"

    write(stop='"SIGINT"\nfixed = "each box is counted"')
    fixed = up("box", name="fixed")
    with pytest.raises(errors.NotSupported, match="stays at 3 nodes: each box is counted"):
        fixed.scale(4)


def test_two_clusters_of_a_kind_live_side_by_side(up: Up, write: Callable[..., None]) -> None:
    write()

    one, other = up("box", name="one"), up("box", name="other")

    ports = [node.ports["client"] for cluster in (one, other) for node in cluster]
    assert len(set(ports)) == 6


def test_the_others_start_when_the_first_one_answers(up: Up, write: Callable[..., None]) -> None:
    """What prepares a node can then use the first one."""
    ask = "import socket; s = socket.create_connection(('127.0.0.1', {{ seed.ports.client }})); s.send(b'who'); print(s.recv(9))"
    prepare = f'["{{% if node.name != seed.name %}}{sys.executable}{{% endif %}}", "-c", "{ask}"]'
    write(stop=f'"SIGINT"\norder = "seed first"\nprepare = {prepare}')

    cluster = up("box")

    assert "PONG" not in cluster["box1"].log()
    assert "b'PONG '" in cluster["box2"].log()


# -- ports


def test_a_port_that_follows_from_another_is_claimed_with_it(up: Up, write: Callable[..., None]) -> None:
    """Somebody listens on every second of the ports that would follow, and then on all of them."""
    write('\n[derived]\nbus = "client + 500"\n', client='"29300-29339"')
    with ExitStack() as others:
        for port in range(29800, 29840, 2):
            others.enter_context(socket.create_server(("127.0.0.1", port)))
        cluster = up("box")
        ports = [(node.ports["client"], node.ports["bus"]) for node in cluster]
        assert all(bus == client + 500 and bus % 2 == 1 for client, bus in ports)

        for port in set(range(29801, 29840, 2)) - {bus for _, bus in ports}:
            others.enter_context(socket.create_server(("127.0.0.1", port)))
        with pytest.raises(errors.PortsExhausted):
            up("box", name="second")


# -- what goes wrong


def nothing_is_left(project: Path) -> bool:
    return not [pid for pid in proc.processes() if str(project) in (proc.command_line(pid) or "")]


def test_a_missing_program_says_which_package_brings_it(up: Up, write: Callable[..., None]) -> None:
    write('\n[requires]\nno-such-server = "debian no-such-package"\n')

    with pytest.raises(errors.ProgramMissing, match="no-such-server") as caught:
        up("box")

    assert caught.value.remedies == ("sudo apt-get install no-such-package",)


def test_a_bad_argument_is_told_in_the_words_of_the_program(
    up: Up, write: Callable[..., None], project: Path
) -> None:
    write(arguments=arguments("bad"))

    with pytest.raises(errors.NodeExited) as caught:
        up("box")

    assert "unknown argument: bad" in caught.value.evidence
    assert nothing_is_left(project)


def test_a_line_that_tells_of_a_crash_ends_the_start_at_once(up: Up, write: Callable[..., None]) -> None:
    write(arguments=arguments("crashes"))
    began = time.monotonic()

    with pytest.raises(errors.NodeExited) as caught:
        up("box")

    assert caught.value.cause == "PANIC: the index is broken"
    assert time.monotonic() - began < 8


def test_a_form_command_that_fails_is_told_with_what_it_said(
    up: Up, write: Callable[..., None], project: Path
) -> None:
    write('\n[form]\ncommand = ["sh", "-c", "echo no quorum for {{ seed.name }}; exit 3"]\n')

    with pytest.raises(errors.CommandFailed) as caught:
        up("box")

    assert "exited with code 3" in (caught.value.cause or "")
    assert caught.value.evidence == ("no quorum for box1",)
    assert nothing_is_left(project)


def test_a_form_command_that_hangs_is_told_with_what_it_said_last(
    up: Up, write: Callable[..., None], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write('\n[form]\ncommand = ["sh", "-c", "echo waiting for votes; sleep 599"]\n', start="1.5")
    monkeypatch.setenv("CLUSTERLIB_TIMEOUTS_START", "1.5")

    with pytest.raises(errors.NodeNotReady) as caught:
        up("box")

    assert "being formed by sh, which last said 'waiting for votes'" in (caught.value.cause or "")
    assert nothing_is_left(project)


def test_a_node_that_dies_while_it_is_asked_is_noticed_at_once(up: Up, write: Callable[..., None]) -> None:
    """The question hangs, and the answer to it would never come: the exit is news enough."""
    kill = "python3 -c \\\"import socket; socket.create_connection(('127.0.0.1', {{ node.ports.client }})).sendall(b'DIE')\\\""
    write(f'\n[formed]\ncommand = ["sh", "-c", "{kill}; sleep 599"]\nlimit = 600.0\n')
    began = time.monotonic()

    with pytest.raises(errors.NodeExited, match="ended before it was ready"):
        up("box")

    assert time.monotonic() - began < 8


def test_a_node_that_does_not_answer_says_what_it_was_asked(
    up: Up, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(answer='"^READY"')
    monkeypatch.setenv("CLUSTERLIB_TIMEOUTS_START", "1")

    with pytest.raises(errors.NodeNotReady) as caught:
        up("box")

    assert "says 'PONG', which does not hold '^READY'" in (caught.value.cause or "")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_server_that_refuses_root_runs_as_somebody_else(up: Up, write: Callable[..., None]) -> None:
    write(stop='"SIGINT"\nuser = "nobody"\nprepare = ["touch", "data/made"]')

    cluster = up("box")

    assert "uid 65534" in cluster["box1"].log()
    made = cluster.run_folder.node("box1") / "data/made"
    assert made.stat().st_uid == 65534


def test_a_user_that_does_not_exist_is_named(up: Up, write: Callable[..., None]) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    write(stop='"SIGINT"\nuser = "nobody_we_know"')

    with pytest.raises(errors.StartError, match="cannot run as nobody_we_know"):
        up("box")


def test_a_server_program_cannot_be_simulated(up: Up, write: Callable[..., None]) -> None:
    write()

    with pytest.raises(errors.ProfileError) as caught:
        up("box", simulate=True)

    assert "cannot be simulated" in str(caught.value)


# -- never stale


def test_a_replaced_program_is_not_used_again(up: Up, write: Callable[..., None], project: Path) -> None:
    program = project / "box-server"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    program.chmod(0o755)
    write(program='"./box-server"')
    first = up("box")
    pids = [node.pid for node in first]

    again = up("box")
    assert [node.pid for node in again] == pids

    program.write_text(f'#!/bin/sh\n# a new version\nexec {sys.executable} "$@"\n')
    renewed = up("box")
    assert "its code had changed; the nodes were restarted" in renewed.notes
    assert set(pids).isdisjoint(node.pid for node in renewed)


# -- looking at it


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


def test_the_shell_is_the_programs_own(
    up: Up, write: Callable[..., None], project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write()
    up("box")

    assert run_own_shell("box2", code="says 'hello you'", project=project) == 0

    assert capfd.readouterr().out == "box2 says hello you\n"


def test_a_server_takes_no_python_calls_and_says_what_it_takes(up: Up, write: Callable[..., None]) -> None:
    write()
    cluster = up("box")

    with pytest.raises(errors.NotSupported, match="it is a server program") as caught:
        cluster["box1"].call("os:getpid")

    assert "invoke cluster.shell box1" in caught.value.remedies
    with pytest.raises(errors.NotSupported, match="no port called http"):
        assert cluster["box1"].url


def test_a_program_that_a_command_is_run_for_finds_the_servers(up: Up, write: Callable[..., None]) -> None:
    from clusterlib.lifecycle.environment import environment_of

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


def test_a_server_that_is_started_by_a_script_dies_and_pauses_with_it(
    up: Up, write: Callable[..., None], project: Path
) -> None:
    script = project / "box-server"
    script.write_text(f'#!/bin/sh\n{sys.executable} "$@" &\nwait\n')
    script.chmod(0o755)
    write(program='"./box-server"')
    cluster = up("box")
    server = [
        pid
        for pid in proc.processes()
        if f" {cluster['box1'].ports['client']}" in (proc.command_line(pid) or "")
    ]
    assert len(server) == 2, "the script and what it started"

    cluster["box1"].pause()
    assert cluster.wait_until(lambda: {state(pid) for pid in server} == {"T"}, 5, "both are stopped")
    cluster["box1"].resume()
    cluster["box1"].kill()

    def living() -> list[int]:
        return [pid for pid in server if (seen := proc.status(pid)) and seen.alive]

    # What the script has started dies by the same blow; `kill` returns when the script is gone.
    cluster.wait_until(lambda: not living(), 5, "both are dead")
    cluster["box1"].restart()
    assert cluster.state == "ready"


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


def state(pid: int) -> str | None:
    seen = proc.status(pid)
    return seen.state if seen else None


def test_data_goes_with_the_cluster_and_log_files_stay(up: Up, write: Callable[..., None]) -> None:
    write(stop='"SIGINT"\nlogs = ["data/*.log"]')
    cluster = up("box")
    data = cluster.run_folder.node("box1") / "data"
    (data / "table").write_text("rows")
    (data / "own.log").write_text("line")

    cluster.down()

    assert [path.name for path in data.iterdir()] == ["own.log"]
    assert not any((cluster.run_folder.node("box2") / "data").glob("*"))


def test_a_log_file_of_its_own_is_evidence_too(up: Up, write: Callable[..., None]) -> None:
    prepare = '["sh", "-c", "echo the disk is on fire > data/own.log"]'
    write(stop=f'"SIGINT"\nlogs = ["data/*.log"]\nprepare = {prepare}', arguments=arguments("bad"))

    with pytest.raises(errors.NodeExited) as caught:
        up("box")

    assert "own.log: the disk is on fire" in caught.value.evidence


def test_a_start_that_is_repeated_begins_with_no_data(up: Up, write: Callable[..., None]) -> None:
    """Somebody takes the ports of the first attempt; what that one left must not be taken for the data of the second."""
    steal = "test -e ../../stolen || { touch ../../stolen; echo address already in use; exit 1; }"
    write(
        stop='"SIGINT"\nprepare = ["mkdir", "data/made"]',
        program='"sh"',
        arguments=f"['-c', '{steal}; exec {sys.executable} -u {{{{ cluster.project }}}}/server.py {{{{ node.ports.client }}}}']",
    )

    cluster = up("box", nodes=1)

    assert cluster.state == "ready"
    assert "cluster.retrying" in cluster.run_folder.events.read_text()
