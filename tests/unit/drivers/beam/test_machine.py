"""Pre-flight for Erlang nodes, judged without Erlang."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from clusterlib.drivers.beam import machine
from clusterlib.drivers.beam.machine import Epmd, Tried
from clusterlib.health.preflight import Resolve
from clusterlib.messages.findings import CheckOutcome


def resolve_to(*addresses: str) -> Resolve:
    return lambda _: addresses


def resolve_nothing(host: str) -> Sequence[str]:
    raise OSError(-2, "Name or service not known")


def test_an_epmd_that_is_missing_or_well_is_no_trouble() -> None:
    missing = machine.check_epmd(Epmd(4369))
    there = machine.check_epmd(Epmd(4369, ["rabbit", "shop"]))

    assert missing.outcome is there.outcome is CheckOutcome.OK
    assert "none runs at port 4369" in missing.evidence
    assert "knows rabbit, shop" in there.evidence
    assert "keeper answers in its place" in missing.evidence


def test_what_holds_the_port_of_epmd_and_is_none_is_named() -> None:
    found = machine.check_epmd(Epmd(4369, problem="it answered b'HTTP'", holder="pid 7 (nginx), user ann"))

    assert found.outcome is CheckOutcome.WARNING
    assert "pid 7 (nginx)" in found.evidence
    assert "b'HTTP'" in found.evidence
    assert found.remedies[0] == "ss -ltnp 'sport = :4369'"


def test_localhost_must_be_found_by_ipv4() -> None:
    assert machine.check_localhost_is_loopback(resolve_to("::1", "127.0.0.1")).outcome is CheckOutcome.OK

    six = machine.check_localhost_is_loopback(resolve_to("::1"))
    none = machine.check_localhost_is_loopback(resolve_nothing)

    assert six.outcome is none.outcome is CheckOutcome.WARNING
    assert "localhost is ::1, not 127.0.0.1" in six.evidence
    assert "localhost is unknown" in none.evidence
    assert "/etc/hosts" in six.remedies[0]


def test_a_host_name_that_does_not_resolve_makes_short_names_of_no_use() -> None:
    assert machine.check_host_name("box", resolve_to("192.0.2.1")).evidence == "box resolves to 192.0.2.1"

    found = machine.check_host_name("box", resolve_nothing)

    assert found.outcome is CheckOutcome.WARNING
    assert "-sname" in found.evidence
    assert found.remedies[0] == "echo '127.0.0.1 box' | sudo tee -a /etc/hosts"


@pytest.mark.parametrize(
    ("mode", "content", "outcome", "told"),
    [
        (0o400, "secret", CheckOutcome.OK, "and private"),
        (0o600, "secret", CheckOutcome.OK, "and private"),
        (0o644, "secret", CheckOutcome.WARNING, "open to others"),
        (0o440, "secret", CheckOutcome.WARNING, "open to others"),
        (0o400, "", CheckOutcome.WARNING, "is empty"),
    ],
)
def test_a_cookie_that_erlang_refuses_is_told(
    tmp_path: Path, mode: int, content: str, outcome: CheckOutcome, told: str
) -> None:
    file = tmp_path / ".erlang.cookie"
    file.write_text(content)
    file.chmod(mode)

    found = machine.check_cookie([tmp_path / "none", file], os.getuid())

    assert (found.outcome, told in found.evidence) == (outcome, True), found
    assert "secret" not in found.evidence
    assert outcome is CheckOutcome.OK or str(file) in found.remedies[0]


def test_a_cookie_of_somebody_else_or_none_at_all(tmp_path: Path) -> None:
    file = tmp_path / ".erlang.cookie"
    assert "nodes of yours make one" in machine.check_cookie([file], os.getuid()).evidence
    file.write_text("secret")

    found = machine.check_cookie([file], os.getuid() + 1)

    assert found.outcome is CheckOutcome.WARNING
    assert "belongs to another user" in found.evidence


def test_a_node_that_was_tried() -> None:
    fine = machine.check_distribution(Tried("/usr/bin/erl", "27", 0.25))
    old = machine.check_distribution(Tried("/usr/bin/erl", "22", 0.25))
    broken = machine.check_distribution(
        Tried("/usr/bin/erl", problem="it ended with exit code 1", said=["no disk"])
    )

    assert fine.outcome is CheckOutcome.OK
    assert "Erlang/OTP 27 (/usr/bin/erl)" in fine.evidence
    assert old.outcome is broken.outcome is CheckOutcome.FAILED
    assert "25 or newer" in old.evidence
    assert broken.evidence == "/usr/bin/erl: it ended with exit code 1; no disk"
    assert broken.remedies
    assert machine.check_distribution(None).outcome is CheckOutcome.SKIPPED
