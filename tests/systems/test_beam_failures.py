"""The usual reasons why an Erlang cluster does not start are named, and nothing is left."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

import clusterlib
from clusterlib.drivers.beam import epmd
from clusterlib.drivers.beam.connection import Connection
from clusterlib.errors import (
    ClusterError,
    CookieMismatch,
    EpmdUnavailable,
    NodeExited,
    NodeNotReady,
    PortsExhausted,
)
from clusterlib.waiting import Deadline, poll
from tests.systems.beam_nodes import PATIENCE
from tests.systems.conftest import System
from tests.systems.installed import need

SHIPPED = (Path(__file__).parents[2] / "templates" / "beam" / "vm.args.j2").read_text()
NAMED = "-name {{ node.name }}@{{ node.address }}"


def written(instead: str) -> str:
    """The shipped vm.args with another name."""
    assert NAMED in SHIPPED
    return SHIPPED.replace(NAMED, instead)


@pytest.fixture
def broken(project: Path, system: System) -> Iterator[Callable[..., ClusterError]]:
    """Brings up a cluster that does not come up, and gives back why."""
    need("erl", "erlang-base")

    def up(template: str = SHIPPED, **overrides: object) -> ClusterError:
        (project / "templates" / "beam").mkdir(parents=True, exist_ok=True)
        (project / "templates" / "beam" / "vm.args.j2").write_text(template)
        with pytest.raises(ClusterError) as caught:
            system("beam", nodes=2, overrides=overrides)
        assert caught.value.code != NodeNotReady.code  # which is what a time-out is called
        return caught.value

    yield up
    assert poll(lambda: not living(project), Deadline(PATIENCE)), "processes are left"


def living(project: Path) -> list[psutil.Process]:
    """What was started for a cluster of the project."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(project) in word for word in process.info["cmdline"] or ())
    ]


def program(project: Path, text: str) -> str:
    """What starts a node instead of `erl`."""
    path = project / "start"
    path.write_text(text)
    path.chmod(0o755)
    return "./start"


@pytest.mark.parametrize(
    ("template", "code", "cause", "said"),
    [
        pytest.param(written(""), "no-distribution", "neither -name nor -sname", None, id="no name"),
        pytest.param(SHIPPED + "\n-hidden\n", "no-distribution", "has -hidden", None, id="hidden"),
        pytest.param(
            SHIPPED + "\n-erl_epmd_port 4370\n",
            "no-distribution",
            "has -erl_epmd_port",
            None,
            id="unregistered",
        ),
        pytest.param(
            written("-name {{ node.name }}@localhost"),
            "name-taken",
            "@localhost; to Erlang localhost is not 127.0.0.1",
            None,
            id="localhost",
        ),
        pytest.param(
            written("-name {{ node.name }}@no-such-host.invalid"),
            "name-taken",
            "the host name no-such-host.invalid does not resolve",
            None,
            id="unresolvable",
        ),
        pytest.param(
            written("-sname {{ node.name }}@no-such-host"),
            "name-taken",
            "the host name no-such-host does not resolve",
            None,
            id="short and unresolvable",
        ),
        pytest.param(
            written("-name other{{ node.index }}@{{ node.address }}"),
            "name-taken",
            "it calls itself other",
            None,
            id="another name",
        ),
        pytest.param(
            written("-name node1@{{ node.address }}"),
            "name-taken",
            "another node of this cluster",
            "the name node1@127.0.0.1 seems to be in use by another Erlang node",
            id="name in use",
        ),
        pytest.param(
            SHIPPED + "\n{% if node.index == 2 %}-setcookie of_mine{% endif %}\n",
            "cookie-mismatch",
            "its vm.args sets one",
            "Invalid challenge reply",
            id="cookie",
        ),
        pytest.param(
            SHIPPED + "\n-kernel inet_dist_use_interface {203,0,113,1}\n",
            "no-distribution",
            "not one of this machine",
            "register/listen error: eaddrnotavail",
            id="foreign address",
        ),
    ],
)
def test_a_vm_args_that_makes_no_cluster_is_told_by_the_name_of_its_trouble(
    broken: Callable[..., ClusterError], template: str, code: str, cause: str, said: str | None
) -> None:
    error = broken(template)

    assert error.code == code, error
    assert cause in str(error.cause)
    assert said is None or any(said in line for line in error.evidence), error
    assert "templates/beam/vm.args.j2" in error.remedies[0]


def test_a_long_name_without_a_host_is_nodistribution(broken: Callable[..., ClusterError]) -> None:
    error = broken(written("-name {{ node.name }}"))

    if error.code == "name-taken":  # a machine with a domain completes the name, to one that nobody knows
        assert "it calls itself node" in str(error.cause)
    else:
        assert (error.code, "nodistribution" in error.problem) == ("no-distribution", True), error
        assert any("Can't set long node name" in line for line in error.evidence), error


def test_a_template_that_asks_for_an_epmd_gets_none_and_needs_none(project: Path, system: System) -> None:
    need("erl", "erlang-base")
    (project / "templates" / "beam").mkdir(parents=True)
    asking = SHIPPED.replace("-start_epmd false", "-env ERL_EPMD_PORT 4370")
    (project / "templates" / "beam" / "vm.args.j2").write_text(asking)

    cluster = system("beam", nodes=2, overrides={"environment.ERL_EPMD_PORT": "4370"})

    assert cluster["node1"].members() == ["node1", "node2"]


# -- a program that starts nodes, such as the script of a release, with an epmd of its own mind


@contextmanager
def answering(words: bytes) -> Iterator[int]:
    """A server that is no epmd; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    caller, _ = listener.accept()
                except OSError:
                    return
                with caller:
                    caller.recv(1024)
                    caller.sendall(words)

        server = threading.Thread(target=serve)
        server.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            server.join(PATIENCE)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def started_with_epmd_at(project: Path, port: int) -> str:
    return program(project, f'#!/bin/sh\nERL_EPMD_PORT={port} exec erl "$@"\n')


def test_an_epmd_that_is_not_there_is_told_from_one_that_is_none(
    project: Path, broken: Callable[..., ClusterError]
) -> None:
    missing = broken(**{"beam.program": started_with_epmd_at(project, free_port())})
    with answering(b"HTTP/1.0 400 Bad Request\r\n\r\n") as port:
        foreign = broken(**{"beam.program": started_with_epmd_at(project, port)})

    assert isinstance(missing, EpmdUnavailable), missing
    assert missing.cause == "nothing listens where it looks for one"
    assert any("register/listen error: econnrefused" in line for line in missing.evidence)
    assert isinstance(foreign, EpmdUnavailable), foreign
    assert "is no epmd (" in str(foreign.cause)
    assert any("garbage_from_epmd" in line for line in foreign.evidence)


def test_a_node_that_registers_at_another_epmd_is_found_at_its_port(
    project: Path, broken: Callable[..., ClusterError]
) -> None:
    port = free_port()
    real = subprocess.Popen(["epmd", "-port", f"{port}", "-address", "127.0.0.1"])
    try:
        assert poll(lambda: _answers(port), Deadline(PATIENCE))
        error = broken(**{"beam.program": started_with_epmd_at(project, port)})
    finally:
        real.kill()
        real.wait(PATIENCE)

    assert isinstance(error, EpmdUnavailable), error
    assert "has registered at another epmd" in error.problem


def _answers(port: int) -> bool:
    try:
        return epmd.names(epmd_port=port) == {}
    except EpmdUnavailable:
        return False


# -- ports


@contextmanager
def two_held() -> Iterator[int]:
    """Two ports in a row that nobody else can have; the first of them."""
    for first in range(29000, 32000, 2):
        with ExitStack() as held:
            try:
                for port in (first, first + 1):
                    held.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            yield first
            return
    pytest.fail("no two ports in a row are free")


def test_a_range_of_ports_that_are_all_held_names_who_has_them(broken: Callable[..., ClusterError]) -> None:
    with two_held() as first:
        error = broken(**{"ports.cluster": f"{first}-{first + 1}"})

    assert isinstance(error, PortsExhausted), error
    assert any(f"port {first}: " in line for line in error.evidence)


def test_a_port_that_a_template_names_and_somebody_has_is_told_with_its_holder(
    broken: Callable[..., ClusterError],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        error = broken(SHIPPED.replace("{{ node.ports.cluster }}", f"{port}"), **{"retry.attempts": 0})

    assert isinstance(error, NodeExited), error
    assert f"port {port} is held by" in str(error.cause)
    assert any("register/listen error: eaddrinuse" in line for line in error.evidence)


def test_a_port_that_is_stolen_between_claim_and_bind_costs_a_retry_and_no_more(
    project: Path, system: System
) -> None:
    need("erl", "erlang-base")
    thief = program(
        project,
        f"""#!{sys.executable}
import os, pathlib, re, signal, socket, sys
try:
    os.mkdir({str(project / "stolen")!r})
except FileExistsError:
    pass
else:
    port = re.search(r"inet_dist_listen_min (\\d+)", pathlib.Path("vm.args").read_text())[1]
    thief = socket.create_server(("127.0.0.1", int(port)))
    if os.fork() == 0:
        signal.pause()
os.execvp("erl", ["erl", *sys.argv[1:]])
""",
    )

    cluster = system("beam", nodes=2, overrides={"beam.program": thief})

    assert cluster["node1"].members() == ["node1", "node2"]
    events = (Path(cluster.status().run) / "events.jsonl").read_text().splitlines()
    retried = [event for event in map(json.loads, events) if event["kind"] == "cluster.retrying"]
    assert ["cannot have its distribution port" in event["reason"] for event in retried] == [True]


# -- clients


def test_a_client_with_another_cookie_is_refused_and_the_node_says_so(system: System) -> None:
    need("erl", "erlang-base")
    cluster = system("beam", nodes=1)
    node = cluster["node1"].status()

    with pytest.raises(CookieMismatch):
        Connection.open(
            node.facts["node"], "another", epmd_port=int(node.facts["epmd_port"]), timeout=PATIENCE
        )

    assert poll(lambda: "Invalid challenge reply" in cluster["node1"].log(), Deadline(PATIENCE))
    assert cluster["node1"].members() == ["node1"]


def test_nodes_of_a_cluster_are_unknown_to_the_epmd_of_the_machine(system: System) -> None:
    need("erl", "erlang-base")
    cluster = system("beam", nodes=1)
    node = cluster["node1"].status()
    cookie = cluster.cookie_file.read_text()

    with Connection.open(
        node.facts["node"], cookie, epmd_port=int(node.facts["epmd_port"]), timeout=PATIENCE
    ) as known:
        assert known.peer.name == node.facts["node"]
    with pytest.raises(EpmdUnavailable, match="no epmd answers"):
        Connection.open(node.facts["node"], cookie, epmd_port=free_port(), timeout=PATIENCE)


def test_clusters_are_up_beside_a_foreign_service_at_epmd_s_usual_port(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("erl", "erlang-base")
    with answering(b"no epmd") as port:
        monkeypatch.setenv("ERL_EPMD_PORT", f"{port}")
        cluster = system("beam", nodes=2)
        assert cluster["node2"].members() == ["node1", "node2"]
        with clusterlib.attach(project=cluster.project) as attached:
            assert attached["node1"].ping() < PATIENCE
