"""Why a node cannot be reached: each cause has an error of its own."""

from __future__ import annotations

import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from clusterlib.drivers.beam import epmd
from clusterlib.drivers.beam.connection import Connection
from clusterlib.drivers.beam.terms import Atom
from clusterlib.errors import (
    CookieMismatch,
    EpmdUnavailable,
    NameTaken,
    NoDistribution,
)
from clusterlib.waiting import Deadline, poll
from tests.systems.beam_client.asking import outcome
from tests.systems.beam_nodes import COOKIE, PATIENCE, Nodes


def test_a_wrong_cookie_is_called_by_its_name(nodes: Nodes) -> None:
    with pytest.raises(CookieMismatch, match="refuses this cookie"):
        nodes.connect("n1", "another cookie")

    assert poll(lambda: "nvalid challenge reply" in nodes.log("n1"), Deadline(PATIENCE))


def test_a_node_that_is_not_registered_is_told_apart_and_the_registered_are_named(nodes: Nodes) -> None:
    with pytest.raises(NoDistribution, match="no node named nobody") as caught:
        nodes.connect("nobody")

    assert caught.value.evidence == ("registered: n1",)


def test_a_missing_epmd_a_foreign_one_and_a_silent_one_are_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(EpmdUnavailable, match="does not answer as epmd would"):
            epmd.port_of("n1", epmd_port=port, timeout=0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with ThreadPoolExecutor(1) as pool:
            pool.submit(_say_once, listener, b"HTTP/1.0 400 Bad Request\r\n\r\n")
            with pytest.raises(EpmdUnavailable, match="is no epmd"):
                epmd.port_of("n1", epmd_port=port, timeout=PATIENCE)
    with pytest.raises(EpmdUnavailable, match="no epmd answers"):
        epmd.names(epmd_port=port)


def test_the_real_epmd_is_understood_as_well_as_ours(nodes: Nodes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    real = subprocess.Popen(["epmd", "-port", f"{port}", "-address", "127.0.0.1"])
    try:
        assert poll(lambda: outcome(lambda: epmd.names(epmd_port=port)), Deadline(PATIENCE)) == ({},)
        nodes.launch("guest", at=port)
        assert poll(lambda: epmd.names(epmd_port=port), Deadline(PATIENCE)).keys() == {"guest"}
        with Connection.open("guest@127.0.0.1", COOKIE, epmd_port=port, timeout=PATIENCE) as guest:
            assert guest.call("erlang", "node") == Atom("guest@127.0.0.1")
        with pytest.raises(NoDistribution) as caught:
            epmd.port_of("nobody", epmd_port=port)
        assert caught.value.evidence == ("registered: guest",)
    finally:
        if "guest" in nodes.processes:
            nodes.kill("guest")
        real.kill()
        real.wait(PATIENCE)


def test_a_node_of_ours_finds_ours_in_place_of_epmd(nodes: Nodes, node: Connection) -> None:
    assert node.call("net_adm", "names", [(127, 0, 0, 1)]) == (
        Atom("ok"),
        [([*map(ord, name)], port) for name, port in nodes.directory.ports.items()],
    )


def test_a_port_with_nobody_and_one_with_a_stranger_are_told_apart_from_a_wrong_cookie() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(NoDistribution, match="does not shake hands within"):
            Connection.open("n1@127.0.0.1", COOKIE, port=port, timeout=0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with ThreadPoolExecutor(1) as pool:
            pool.submit(_say_once, listener, b"\x00\x05hello")
            with pytest.raises(NoDistribution, match="no Erlang node"):
                Connection.open("n1@127.0.0.1", COOKIE, port=port, timeout=PATIENCE)
    with pytest.raises(NoDistribution, match="takes no connections"):
        Connection.open("n1@127.0.0.1", COOKIE, port=port)


def test_localhost_is_not_127_0_0_1_and_a_host_that_does_not_resolve_is_told(nodes: Nodes) -> None:
    port = nodes.directory.ports["n1"]

    with pytest.raises(NameTaken, match="another node than n1@localhost") as caught:
        Connection.open("n1@localhost", COOKIE, address="127.0.0.1", port=port)
    assert caught.value.cause == "it calls itself n1@127.0.0.1"
    with pytest.raises(NoDistribution, match="does not resolve"):
        Connection.open("n1@no-such-host.invalid", COOKIE, port=port)


def test_a_name_in_use_keeps_a_second_node_from_starting(nodes: Nodes) -> None:
    second = nodes.boot("n1")
    before = nodes.processes["n1"]
    process = nodes.launch("n1")
    nodes.processes["n1"] = before

    assert process.wait(PATIENCE) != 0
    assert "seems to be in use" in nodes.log("n1"), second


def _say_once(listener: socket.socket, words: bytes) -> None:
    caller, _ = listener.accept()
    with caller:
        caller.recv(1024)
        caller.sendall(words)
