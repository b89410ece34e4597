"""Driver `command`: a profile alone brings up any program as a cluster."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from clusterlib import errors
from clusterlib.hosts import proc
from tests.functional.command.boxes import FORMING, arguments, say
from tests.functional.conftest import Up


def test_a_profile_alone_makes_a_cluster_of_any_program(up: Up, write: Callable[..., None]) -> None:
    write(FORMING)

    cluster = up("box")

    assert [node.name for node in cluster] == ["box1", "box2", "box3"]
    assert cluster.state == "ready"
    assert say(cluster, "box2", b"who") == b"PONG box1 box2 box3"
    assert "I am box2" in cluster["box2"].log()
    assert all(node.view == ("box1", "box2", "box3") for node in cluster.status().nodes)
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
    assert all("box2" not in node.view for node in cluster.status().nodes)
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


def test_a_node_that_is_stopped_alone_is_asked_in_order_also_where_it_is_the_last_one(
    up: Up, write: Callable[..., None]
) -> None:
    write(stop='"SIGINT"\nstop_all = "SIGKILL"')
    cluster = up("box", nodes=2)

    for node in cluster:
        node.stop()
        assert node.state == "stopped"
        assert "asked to stop" in node.log()

    for node in cluster:
        node.start()
    assert cluster.state == "ready"


def test_a_server_that_logs_each_question_is_not_asked_because_of_that(
    up: Up, write: Callable[..., None]
) -> None:
    """It takes 1.5 s to get ready and prints a line for each question: about 70 with back-off."""
    write(arguments=arguments("slow"))

    cluster = up("box", nodes=1)

    assert 10 < cluster["box1"].log().count("asked\n") < 120


def test_a_profile_says_how_often_its_server_is_asked(up: Up, write: Callable[..., None]) -> None:
    write("interval = 0.5\n", arguments=arguments("slow"))

    cluster = up("box", nodes=1)

    assert 2 <= cluster["box1"].log().count("asked\n") <= 5


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


def test_nodes_can_be_counted_from_0(up: Up, write: Callable[..., None]) -> None:
    write(
        name='"box-{index0}"\nhost = "box{index0}.localhost"',
        GREETING="\"number {{ node.index0 }}, after {{ peers | map(attribute='index0') | join('+') }}\"",
    )
    cluster = up("box", nodes=2)

    cluster.scale(3)

    assert [node.name for node in cluster] == ["box-0", "box-1", "box-2"]
    hosts = {node.host for node in cluster.status().nodes}
    assert hosts in ({"127.0.0.1"}, {f"box{number}.localhost" for number in range(3)})
    assert "number 2, after 0+1" in cluster["box-2"].log()


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


def test_a_line_may_tell_that_a_node_has_found_the_others(up: Up, write: Callable[..., None]) -> None:
    write('\n[formed]\nlog = "listening, I am {{ node.name }}, uid [0-9]+$"\n')

    cluster = up("box")

    assert cluster.state == "ready"
    assert all(node.view == ("box1", "box2", "box3") for node in cluster.status().nodes)


def test_a_line_that_never_comes_is_named(
    up: Up, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write('\n[formed]\nlog = "{{ cluster.nodes | length }} of us"\n')
    monkeypatch.setenv("CLUSTERLIB_TIMEOUTS_START", "1")

    with pytest.raises(errors.NodeNotReady) as caught:
        up("box")

    assert "it has not printed '3 of us' yet (waiting for: formed)" in (caught.value.cause or "")


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


def test_pinned_ports_are_used_again_at_once_and_each_node_keeps_its_own(
    up: Up, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write()
    monkeypatch.setenv("CLUSTERLIB_PORTS_CLIENT", "29350-29352")
    for _ in range(3):
        cluster = up("box")
        for node in cluster:
            assert say(cluster, node.name, b"hello").startswith(b"PONG"), "and it hangs up first"
        assert [node.ports["client"] for node in cluster] == [29350, 29351, 29352]
        cluster.down()


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
    assert "its code had changed (box-server); the nodes were restarted" in renewed.notes
    assert set(pids).isdisjoint(node.pid for node in renewed)


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
    """The ports of the first attempt are taken; the second must not use the data that it left."""
    steal = "test -e ../../stolen || { touch ../../stolen; echo address already in use; exit 1; }"
    write(
        stop='"SIGINT"\nprepare = ["mkdir", "data/made"]',
        program='"sh"',
        arguments=f"['-c', '{steal}; exec {sys.executable} -u {{{{ cluster.project }}}}/server.py {{{{ node.ports.client }}}}']",
    )

    cluster = up("box", nodes=1)

    assert cluster.state == "ready"
    assert "cluster.retrying" in cluster.run_folder.events.read_text()


def test_a_worker_without_any_port_is_ready_when_it_says_so(up: Up, project: Path) -> None:
    (project / "profiles").mkdir()
    (project / "worker.py").write_text("import time\nprint('working', flush=True)\ntime.sleep(600)\n")
    (project / "profiles/worker.toml").write_text(
        f"""driver = "command"
nodes.count = 2
[command]
program = "{sys.executable}"
arguments = ["{{{{ cluster.project }}}}/worker.py"]
[ready]
log = "^working"
"""
    )

    workers = up("worker")

    assert workers.state == "ready"
    assert [node.ports for node in workers] == [{}, {}]
    workers["node1"].kill()
    assert workers.state == "degraded"
    workers["node1"].restart()
    workers.scale(3)
    assert workers.state == "ready"
