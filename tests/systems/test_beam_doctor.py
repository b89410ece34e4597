"""Pre-flight for Erlang clusters, on this machine."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from clusterlib.drivers.beam import epmd
from clusterlib.drivers.beam.preflight import try_node
from clusterlib.errors import EpmdUnavailable
from clusterlib.messages.findings import CheckOutcome, Finding
from clusterlib.operations.doctor import examine_machine
from clusterlib.waiting import Deadline, poll
from tests.systems.beam_nodes import PATIENCE
from tests.systems.installed import need


@pytest.fixture(autouse=True)
def home(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    need("erl", "erlang-base")
    monkeypatch.setenv("HOME", str(project))
    monkeypatch.setattr(tempfile, "tempdir", str(project))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return project


def found(project: Path) -> Mapping[str, Finding]:
    return {finding.name: finding for finding in examine_machine("beam", project=project).findings}


def living_in(folder: Path) -> list[list[str]]:
    everybody = psutil.process_iter(["cwd", "cmdline"])
    return [one.info["cmdline"] for one in everybody if str(folder) in (one.info["cwd"] or "")]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def test_a_fit_machine_passes_with_a_node_that_was_really_tried(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERL_EPMD_PORT", f"{free_port()}")
    findings = found(project)

    for name in ("loopback", "ports for cluster", "program erl", "epmd", "localhost by IPv4", "cookie"):
        assert findings[name].outcome is CheckOutcome.OK, findings[name]
    assert findings["host name"].outcome in {CheckOutcome.OK, CheckOutcome.WARNING}
    assert findings["distribution"].outcome is CheckOutcome.OK, findings["distribution"]
    assert "a node of Erlang/OTP" in findings["distribution"].evidence
    # What Erlang's machine starts programs with ends by itself, a moment after it.
    assert poll(lambda: not living_in(project), Deadline(PATIENCE)), living_in(project)
    assert not (project / ".erlang.cookie").exists()


def test_a_foreign_service_on_the_port_of_epmd_and_an_open_cookie_are_warnings_with_remedies(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / ".erlang.cookie").write_text("secret")
    (project / ".erlang.cookie").chmod(0o644)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setenv("ERL_EPMD_PORT", f"{port}")

        def hang_up() -> None:
            listener.accept()[0].close()

        stranger = threading.Thread(target=hang_up)
        stranger.start()
        findings = found(project)
        stranger.join(PATIENCE)

    assert findings["epmd"].outcome is CheckOutcome.WARNING
    assert f"port {port}, held by pid" in findings["epmd"].evidence
    assert findings["epmd"].remedies[0] == f"ss -ltnp 'sport = :{port}'"
    assert findings["cookie"].remedies == (f"chmod 400 {project / '.erlang.cookie'}",)
    assert findings["distribution"].outcome is CheckOutcome.OK


def test_the_epmd_of_the_machine_is_told_with_the_nodes_it_knows(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("ERL_EPMD_PORT", f"{port}")
    real = subprocess.Popen(["epmd", "-port", f"{port}", "-address", "127.0.0.1"])

    def answers() -> bool:
        try:
            return epmd.names(epmd_port=port) == {}
        except EpmdUnavailable:
            return False

    try:
        assert poll(answers, Deadline(PATIENCE))
        assert f"at port {port}, answers and knows no node" in found(project)["epmd"].evidence
    finally:
        real.kill()
        real.wait(PATIENCE)


def test_an_erl_that_does_not_start_and_one_that_never_answers_are_told(project: Path) -> None:
    broken = project / "erl"
    broken.write_text("#!/bin/sh\necho 'no space left' >&2\nexit 3\n")
    broken.chmod(0o755)
    deaf = project / "deaf"
    deaf.write_text("#!/bin/sh\nexec sleep 60\n")
    deaf.chmod(0o755)

    tried = try_node(broken)
    waited = try_node(deaf, seconds=0.3)
    missing = try_node(project / "nothing")

    assert (tried.release, tried.problem, list(tried.said)) == (
        None,
        "it ended with exit code 3",
        ["no space left"],
    )
    assert waited.problem == "it was not ready in 0.3 s"
    assert missing.release is None
