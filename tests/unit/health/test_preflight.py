from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from clusterlib.health import preflight
from clusterlib.health.expectation import Expected
from clusterlib.messages.containing import ContainmentRung
from clusterlib.messages.findings import CheckOutcome

MEBIBYTE = 2**20


def knows(**addresses: Sequence[str]) -> preflight.Resolve:
    def resolve(host: str) -> Sequence[str]:
        if host not in addresses:
            raise OSError(-2, "Name or service not known")
        return addresses[host]

    return resolve


def refuses(*addresses: str) -> Callable[[str], None]:
    def bind(address: str) -> None:
        if address in addresses:
            raise OSError(99, "Cannot assign requested address")

    return bind


def test_an_old_python_fails_and_says_how_to_get_another() -> None:
    assert preflight.check_python((3, 11, 0), "/usr/bin/python3").outcome is CheckOutcome.OK

    found = preflight.check_python((3, 10, 4), "/usr/bin/python3")

    assert found.outcome is CheckOutcome.FAILED
    assert "3.10.4" in found.evidence
    assert found.remedies


@pytest.mark.parametrize(
    ("addresses", "outcome"),
    [
        (["127.0.0.1"], CheckOutcome.OK),
        (["::1", "127.0.0.1"], CheckOutcome.OK),
        (["10.0.0.7"], CheckOutcome.FAILED),
        ([], CheckOutcome.FAILED),
    ],
)
def test_localhost_must_be_this_machine(addresses: list[str], outcome: CheckOutcome) -> None:
    assert preflight.check_localhost(knows(localhost=addresses)).outcome is outcome


def test_a_machine_that_does_not_know_localhost_is_told_to_write_it_down() -> None:
    found = preflight.check_localhost(knows())

    assert found.outcome is CheckOutcome.FAILED
    assert "does not resolve" in found.evidence
    assert "/etc/hosts" in found.remedies[0]


def test_a_loopback_address_that_cannot_be_bound_is_named() -> None:
    assert preflight.check_loopback(refuses()).outcome is CheckOutcome.OK

    found = preflight.check_loopback(refuses("127.64.0.1"), ["127.0.0.1", "127.64.0.1"])

    assert found.outcome is CheckOutcome.FAILED
    assert found.evidence.startswith("127.64.0.1 cannot be used")


def test_host_names_of_nodes_must_lead_here() -> None:
    resolve = knows(localhost=["127.0.0.1"], elsewhere=["192.0.2.1"])

    assert preflight.check_hosts(["localhost", "localhost"], resolve).outcome is CheckOutcome.OK
    assert preflight.check_hosts(["localhost", "elsewhere"], resolve).outcome is CheckOutcome.FAILED
    assert "unheard-of" in preflight.check_hosts(["unheard-of"], resolve).evidence


def test_ports_that_somebody_holds_do_not_matter_while_enough_are_free() -> None:
    held = {20000: "pid 12 (redis-server), user ann"}

    found = preflight.check_ports("cluster", 20000, 20003, 3, held.get)

    assert found.outcome is CheckOutcome.OK
    assert found.evidence == "3 needed, enough free in 20000-20003"


def test_where_too_few_are_free_those_who_hold_them_are_named() -> None:
    held = {20000: "pid 12 (redis-server), user ann"}

    found = preflight.check_ports("cluster", 20000, 20002, 3, held.get)

    assert found.outcome is CheckOutcome.FAILED
    assert "20000 by pid 12 (redis-server)" in found.evidence


def test_too_few_free_ports_fail_with_a_command_that_moves_the_range() -> None:
    found = preflight.check_ports("http", 24000, 24001, 3, lambda port: "pid 3 (nginx), user www")

    assert found.outcome is CheckOutcome.FAILED
    assert found.evidence.startswith("0 free of 3 needed")
    assert any(remedy.startswith("CLUSTERLIB_PORTS_HTTP=") for remedy in found.remedies)


def test_no_more_ports_are_looked_at_than_needed() -> None:
    asked = []

    def holder(port: int) -> None:
        asked.append(port)

    preflight.check_ports("cluster", 20000, 23999, 3, holder)

    assert asked == [20000, 20001, 20002]


def test_a_range_inside_the_kernels_own_is_a_warning() -> None:
    kernels = (32768, 60999)

    assert preflight.check_ephemeral({"http": (24000, 27999)}, kernels).outcome is CheckOutcome.OK
    assert preflight.check_ephemeral({"http": (32000, 33000)}, kernels).outcome is CheckOutcome.WARNING


@pytest.mark.parametrize(
    ("rung", "outcome"),
    [
        (ContainmentRung.NAMESPACE, CheckOutcome.OK),
        (ContainmentRung.USER_NAMESPACE, CheckOutcome.OK),
        (ContainmentRung.SWEEP, CheckOutcome.WARNING),
        (None, CheckOutcome.FAILED),
    ],
)
def test_containment_says_why_it_is_not_higher(rung: ContainmentRung | None, outcome: CheckOutcome) -> None:
    found = preflight.check_containment(rung, ["namespace: needs root"])

    assert found.outcome is outcome
    assert "needs root" in found.evidence


def test_dead_clusters_are_a_warning_with_the_command_that_buries_them() -> None:
    assert preflight.check_leftovers([]).outcome is CheckOutcome.OK

    found = preflight.check_leftovers([f"cluster{number}" for number in range(5)])

    assert found.outcome is CheckOutcome.WARNING
    assert "and 2 more" in found.evidence
    assert found.remedies == ("invoke cluster.clean",)


def test_the_runtime_folder_must_be_private(tmp_path: Path) -> None:
    mine = tmp_path.stat().st_uid
    tmp_path.chmod(0o700)
    assert preflight.check_runtime_folder(tmp_path, mine).outcome is CheckOutcome.OK
    assert preflight.check_runtime_folder(tmp_path, mine + 1).outcome is CheckOutcome.FAILED
    assert preflight.check_runtime_folder(tmp_path / "missing", mine).outcome is CheckOutcome.FAILED

    tmp_path.chmod(0o755)
    found = preflight.check_runtime_folder(tmp_path, mine)

    assert found.outcome is CheckOutcome.FAILED
    assert stat.filemode(tmp_path.stat().st_mode) in found.evidence
    assert found.remedies == (f"chmod 700 {tmp_path}",)


def test_a_project_that_is_not_there_cannot_be_written(tmp_path: Path) -> None:
    assert preflight.check_project(tmp_path).outcome is CheckOutcome.OK
    assert preflight.check_project(tmp_path / "missing").outcome is CheckOutcome.FAILED


def test_a_full_disk_fails(tmp_path: Path) -> None:
    assert preflight.check_disk(2**34, 3, tmp_path).outcome is CheckOutcome.OK
    assert preflight.check_disk(10 * MEBIBYTE, 3, tmp_path).outcome is CheckOutcome.FAILED


def test_memory_that_does_not_suffice_says_how_many_nodes_would_fit() -> None:
    each = Expected(100 * MEBIBYTE, "nodes.memory: profile box (profiles/box.toml:3)")
    assert preflight.check_memory(1000 * MEBIBYTE, 3, each).outcome is CheckOutcome.OK
    assert preflight.check_memory(320 * MEBIBYTE, 3, each).outcome is CheckOutcome.WARNING

    found = preflight.check_memory(400 * MEBIBYTE, 8, each)

    assert found.outcome is CheckOutcome.FAILED
    assert found.remedies == ("invoke cluster.up --nodes 2",)
    assert "profiles/box.toml:3" in found.evidence


def test_memory_that_does_not_suffice_for_one_node_advises_no_number_of_nodes() -> None:
    found = preflight.check_memory(400 * MEBIBYTE, 1, Expected(1000 * MEBIBYTE, "nodes.memory: profile box"))

    assert found.remedies == ("free -m  # memory left",)


def test_memory_that_was_measured_warns_and_fails_nothing() -> None:
    each = Expected(100 * MEBIBYTE, "in the run of 2026-11-28 12:03 UTC", measured=True)

    found = preflight.check_memory(400 * MEBIBYTE, 8, each)

    assert found.outcome is CheckOutcome.WARNING
    assert found.evidence == (
        "400 MiB available, 8 nodes of 100 MiB take 800 MiB (as in the run of 2026-11-28 12:03 UTC)"
    )
    assert found.remedies == ("invoke cluster.up --nodes 2",)


def test_memory_of_simulated_nodes_is_that_of_the_one_process_they_are_in() -> None:
    together = Expected(100 * MEBIBYTE, "in the run of 2026-11-28 12:03 UTC", measured=True)

    found = preflight.check_memory(400 * MEBIBYTE, 8, together, simulated=True)

    assert found.outcome is CheckOutcome.OK
    assert "8 simulated nodes take 100 MiB" in found.evidence


def test_memory_that_is_not_known_is_no_warning_and_says_how_it_becomes_known() -> None:
    found = preflight.check_memory(MEBIBYTE, 8, None)

    assert found.outcome is CheckOutcome.SKIPPED
    assert "not known yet" in found.evidence
    assert "a run of it measures that, or set [nodes] memory" in found.evidence
    unwatched = preflight.check_memory(MEBIBYTE, 8, None, monitored=False)
    assert "a run with [monitor] interval measures that" in unwatched.evidence


@pytest.mark.parametrize("check", [preflight.check_descriptors, preflight.check_processes])
def test_limits_are_measured_against_the_number_of_nodes(check: Callable[[int, int], object]) -> None:
    assert getattr(check(-1, 1000), "outcome") is CheckOutcome.OK  # noqa: B009
    assert getattr(check(100_000, 3), "outcome") is CheckOutcome.OK  # noqa: B009
    assert getattr(check(64, 100), "outcome") is CheckOutcome.FAILED  # noqa: B009


def test_a_template_that_cannot_be_rendered_is_named_with_its_reason() -> None:
    assert preflight.check_templates([], []).outcome is CheckOutcome.SKIPPED
    assert preflight.check_templates(["node.json"], []).outcome is CheckOutcome.OK

    found = preflight.check_templates(["node.json"], ["broken.j2:3: templates.node.json: unexpected '}'"])

    assert found.outcome is CheckOutcome.FAILED
    assert "broken.j2:3" in found.evidence
