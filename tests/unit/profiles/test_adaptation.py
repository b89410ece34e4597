"""How a profile gives way to a machine, and what it says about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clusterlib.machine.facts import Machine
from clusterlib.profiles import Capacity, Origin, ResolvedProfile, capacity
from clusterlib.values.ports import PortRange
from clusterlib.values.sources import ValueSource

Load = Callable[..., ResolvedProfile]
Write = Callable[[str, str], Path]

PLENTY = 16 * 2**30


def test_on_a_machine_large_enough_nothing_changes(load: Load) -> None:
    assert load("dev").adaptations == ()


@pytest.mark.parametrize("name", ["dev", "ci-small", "ci-large"])
def test_the_shipped_profiles_keep_their_size_on_two_cpus(load: Load, name: str) -> None:
    machine = Machine("GitHub Actions", 2.0, 2 * 2**30)

    assert not [change for change in load(name, on=machine).adaptations if change.field == "nodes.count"]


def test_a_heavy_node_gets_as_many_as_the_cpus_carry(load: Load, write: Write) -> None:
    write("heavy", "\n[nodes]\ncount = 5\n[adapt]\nnodes_per_cpu = 1\nci_timeout_factor = 1\n")

    profile = load("heavy", on=Machine("GitHub Actions", 2.0, PLENTY))

    assert profile.values.nodes.count == 2
    assert profile.origin("nodes.count") == Origin(
        ValueSource.ADAPTED, "heavy", "profiles/heavy.toml", 3, "GitHub Actions: 2 CPUs -> 2 nodes", 5
    )
    assert [str(change) for change in profile.adaptations] == [
        "nodes.count: 5 -> 2 (GitHub Actions: 2 CPUs -> 2 nodes)"
    ]


def test_memory_can_be_what_is_short(load: Load, write: Write) -> None:
    write("heavy", '[nodes]\ncount = 5\nmemory = "1GiB"\n')

    (change,) = load("heavy", on=Machine(None, 8.0, 6 * 2**30 + 5)).adaptations

    assert (change.after, change.reason) == (3, "this machine: 6GiB free, 1GiB a node -> 3 nodes")


def test_an_amount_that_is_only_the_default_is_called_so(load: Load, write: Write) -> None:
    write("light", "[nodes]\ncount = 5\n")

    (change,) = load("light", on=Machine(None, 8.0, 192 * 2**20)).adaptations

    assert (change.after, change.reason) == (
        3,
        "this machine: 192MiB free, 32MiB a node by default, as [nodes] memory is not set -> 3 nodes",
    )


def test_who_said_a_value_is_known_without_reading_its_line(load: Load, write: Write) -> None:
    write("heavy", '[nodes]\nmemory = "1GiB"\n')

    said = load("heavy").voice("nodes.memory")
    by_variable = load("heavy", environ={"CLUSTERLIB_NODES_MEMORY": "2GiB"}).voice("nodes.memory")

    assert (str(said), said and said.line) == ("profile heavy (profiles/heavy.toml)", None)
    assert str(by_variable) == "environment CLUSTERLIB_NODES_MEMORY"
    assert load("dev").voice("nodes.memory") is None
    assert load("ci-large").voice("nodes.memory") is None, "what the code of a user takes cannot be shipped"


def test_the_minimum_holds_however_small_the_machine(load: Load) -> None:
    (change,) = load("ci-large", on=Machine(None, 0.01, 1000)).adaptations

    assert change.after == 3
    assert change.reason.endswith("-> 3 nodes, the profile's minimum")


def test_ci_gets_more_patience_but_no_slower_failure_detection(load: Load) -> None:
    profile = load("dev", on=Machine("Jenkins", 8.0, PLENTY))

    assert profile.values.timeouts.start == 60.0
    assert profile.values.timeouts.detect == 0.8
    assert profile.origin("timeouts.start").reason == "Jenkins: 2 times as long -> 60 s"
    assert {change.field for change in profile.adaptations} == {
        "timeouts.start",
        "timeouts.stop",
        "timeouts.call",
        "timeouts.health",
    }


def test_what_a_person_asks_for_now_is_not_adapted(load: Load) -> None:
    profile = load(
        "dev",
        on=Machine("CI", 0.02, 1000),
        environ={"CLUSTERLIB_TIMEOUTS_START": "9"},
        overrides={"nodes.count": 100},
    )

    assert profile.values.nodes.count == 100
    assert profile.values.timeouts.start == 9.0
    assert profile.values.timeouts.stop == 10.0


def test_the_minimum_follows_someone_who_asks_for_less(load: Load) -> None:
    profile = load("ci-large", overrides={"nodes.count": 1})

    assert (profile.values.nodes.count, profile.values.nodes.min) == (1, 1)
    assert profile.origin("nodes.min").reason == "1 asked for: command line"


def test_adaptation_can_be_switched_off(load: Load) -> None:
    profile = load("dev", on=Machine("CI", 0.02, 1000), overrides={"adapt.enabled": False})

    assert profile.adaptations == ()


def test_a_host_name_that_leads_elsewhere_gives_way_to_the_address(load: Load, write: Write) -> None:
    write("named", 'nodes.host = "{name}.shop.test"\n')
    asked: list[str] = []

    def resolver(host: str) -> str | None:
        asked.append(host)
        return "does not resolve here" if host.startswith("node2") else None

    profile = load("named", resolver=resolver)

    assert asked == ["node1.shop.test", "node2.shop.test"]
    assert profile.values.nodes.host == "{address}"
    assert profile.origin("nodes.host").reason == "node2.shop.test does not resolve here"


def test_an_address_is_never_looked_up(load: Load) -> None:
    def resolver(host: str) -> str | None:
        raise AssertionError(host)

    assert load("dev", resolver=resolver, overrides={"nodes.host": "{address}"}).adaptations == ()


def test_nodes_with_addresses_of_their_own_are_reached_by_them(load: Load) -> None:
    profile = load("dev", overrides={"network.mode": "per-node"})

    assert profile.values.nodes.host == "{address}"


def test_shipped_ports_move_where_the_kernel_took_their_range(load: Load) -> None:
    profile = load("dev", on=Machine(None, 8.0, PLENTY, ephemeral=PortRange(15000, 60999)))

    ports = profile.values.ports
    assert not any(span.overlaps(PortRange(15000, 60999)) for span in ports.values())
    assert not ports["cluster"].overlaps(ports["http"])
    assert profile.origin("ports.http").reason == "this kernel gives 15000-60999 to outgoing connections"


def test_ports_stay_where_the_kernel_took_all(load: Load) -> None:
    profile = load("dev", on=Machine(None, 8.0, PLENTY, ephemeral=PortRange(1024, 65535)))

    assert profile.adaptations == ()


def test_the_same_machine_gives_the_same_values(load: Load) -> None:
    machine = Machine("CI", 1.0, 2**28, ephemeral=PortRange(15000, 60999))

    assert load("ci-large", on=machine).to_json() == load("ci-large", on=machine).to_json()


def test_the_capacity_follows_the_rule_that_the_size_is_adapted_by(load: Load, write: Write) -> None:
    write("heavy", '[nodes]\ncount = 2\nmemory = "1GiB"\n[adapt]\nnodes_per_cpu = 1\n')

    by_cpu = capacity(load("heavy", on=Machine(None, 4.0, PLENTY)))
    by_memory = capacity(load("heavy", on=Machine(None, 8.0, 6 * 2**30)))

    assert by_cpu == Capacity(4, "this machine: 4 CPUs -> 4 nodes")
    assert by_memory == Capacity(3, "this machine: 6GiB free, 1GiB a node -> 3 nodes")


def test_what_a_profile_starts_with_is_within_its_capacity(load: Load, write: Write) -> None:
    write("heavy", "[nodes]\ncount = 5\n[adapt]\nnodes_per_cpu = 1\n")
    small = Machine(None, 2.0, PLENTY)

    asked = capacity(load("heavy", on=small, overrides={"nodes.count": 7}))

    assert capacity(load("heavy", on=small)).nodes == 2
    assert (asked.nodes, asked.reason) == (7, "nodes.count is 7: command line")


def test_a_profile_that_is_not_adapted_has_no_bound_but_the_largest_cluster(load: Load, write: Write) -> None:
    write("trusting", "[adapt]\nenabled = false\n")

    assert capacity(load("trusting", on=Machine(None, 0.1, 1000))).nodes == 1000


@pytest.mark.parametrize("said", ["linger = 60", "[monitor]\ninterval = 0", '[tests]\npaths = ["tests"]'])
def test_what_lives_longer_or_is_watched_more_is_the_same_cluster(
    load: Load, write: Write, said: str
) -> None:
    write("one", "simulate = true\n")
    write("other", f"simulate = true\n{said}\n")

    assert load("one").fingerprint() == load("other").fingerprint()


def test_another_size_is_another_cluster(load: Load, write: Write) -> None:
    write("one", "[nodes]\ncount = 2\n")
    write("other", "[nodes]\ncount = 3\n")

    assert load("one").fingerprint() != load("other").fingerprint()


def test_a_list_of_known_words_comes_from_a_file_and_from_the_environment(load: Load, write: Write) -> None:
    write("mine", '[tests]\nfallbacks = ["smaller", "skip"]\n')

    assert load("mine").values.tests.fallbacks == ("smaller", "skip")
    environ = {"CLUSTERLIB_TESTS_FALLBACKS": "retry simulate"}
    assert load("mine", environ=environ).values.tests.fallbacks == ("retry", "simulate")
