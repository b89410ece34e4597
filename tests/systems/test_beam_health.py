"""The health matrix of Erlang nodes; a node that hangs does not hold it up."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from clusterlib.client.cluster import Cluster
from clusterlib.drivers.beam.terms import Atom
from clusterlib.messages.findings import CheckOutcome, Finding
from clusterlib.operations.health import Health, examine_health
from clusterlib.waiting import Deadline, poll
from tests.systems.beam_nodes import PATIENCE, stop_for_good
from tests.systems.conftest import System
from tests.systems.installed import need

WHOLE = {
    "connectivity": ["ping", "rpc", "cookie"],
    "application": ["started", "applications", "serving", "operations", "log"],
    "cluster": ["formed", "reach"],
    "limits": ["processes", "atoms", "run queue"],
    "performance": ["memory", "cpu"],
}
SHOP = """
-module(shop).
-behaviour(application).
-behaviour(supervisor).
-behaviour(gen_server).
-export([start/2, stop/1, start_link/0, init/1, handle_call/3, handle_cast/2]).
start(_, _) -> supervisor:start_link({local, shop_sup}, ?MODULE, supervisor).
stop(_) -> ok.
start_link() -> gen_server:start_link({local, counter}, ?MODULE, server, []).
init(supervisor) -> {ok, {{one_for_one, 1, 5}, [{counter, {?MODULE, start_link, []}, permanent, 100, worker, [?MODULE]}]}};
init(server) -> {ok, 0}.
handle_call(_, _, Count) -> {reply, Count, Count}.
handle_cast(hang, Count) -> receive never -> {noreply, Count} end.
"""


def up(system: System, count: int = 3, **options: object) -> Cluster:
    need("erl", "erlang-base")
    return system("beam", nodes=count, **options)


def rows(cluster: Cluster) -> tuple[Health, dict[str, Mapping[str, Finding]]]:
    health = examine_health(cluster.name, project=cluster.project)
    return health, {row.node: {check.name: check for check in row.checks} for row in health.nodes}


def bad(found: Mapping[str, Finding]) -> set[str]:
    return {name for name, check in found.items() if check.outcome is CheckOutcome.FAILED}


def test_a_well_cluster_is_well_in_every_column(system: System) -> None:
    health, found = rows(up(system))

    assert health.healthy, health
    groups: dict[str, list[str]] = {}
    for group, name in health.columns:
        groups.setdefault(group, []).append(name)
    assert groups == WHOLE
    assert {check.outcome for row in found.values() for check in row.values()} == {CheckOutcome.OK}
    for row in found.values():
        assert row["formed"].evidence == "3/3"
        assert row["reach"].evidence.endswith(" ms")
        assert 0 < float(row["ping"].evidence.removesuffix(" ms")) < 1000 * PATIENCE


def test_one_node_alone_has_nobody_to_reach(system: System) -> None:
    health, found = rows(up(system, 1))

    assert health.healthy
    assert found["node1"]["reach"].outcome is CheckOutcome.SKIPPED


def test_a_node_that_was_stopped_from_outside_does_not_keep_five_nodes_from_being_examined(
    system: System,
) -> None:
    cluster = up(system, 5)
    pid = cluster["node3"].pid
    assert pid is not None
    stop_for_good(pid)
    try:
        health, found = rows(cluster)
    finally:
        os.kill(pid, signal.SIGCONT)

    assert not health.healthy
    assert {"ping", "started"} <= bad(found["node3"])
    assert f"kill -CONT {pid}" in found["node3"]["started"].remedies
    assert bad(found["node2"]) == {"reach"}
    assert found["node2"]["reach"].evidence.startswith("node3 does not answer it")
    assert all(not bad(found[name]) for name in ("node1", "node4", "node5"))


def test_a_node_that_is_paused_is_told_about_and_not_asked(system: System) -> None:
    cluster = up(system)
    cluster["node3"].pause()
    health, found = rows(cluster)
    cluster["node3"].resume()

    assert not health.healthy
    assert found["node3"]["started"].remedies == ("invoke cluster.resume node3",)
    assert not bad(found["node1"])
    assert not bad(found["node2"])  # it reaches the next that is ready


def test_a_cut_between_two_nodes_is_seen_by_both(system: System) -> None:
    cluster = up(system)
    one, two = Atom("node1@127.0.0.1"), Atom("node2@127.0.0.1")
    for name, other in (("node1", two), ("node2", one)):  # else one word for the other heals it
        cluster[name].call("erlang", "set_cookie", [other, Atom(f"of {name}")])
    cluster["node1"].call("erlang", "disconnect_node", [two])
    _, found = rows(cluster)

    assert bad(found["node1"]) == {"formed", "reach"}
    assert found["node1"]["formed"].evidence == "2/3: it does not see node2"
    assert found["node1"]["formed"].remedies == ("invoke cluster.restart node2",)
    assert bad(found["node2"]) == {"formed"}
    assert not bad(found["node3"])

    def told() -> bool:
        return any(row["log"].outcome is CheckOutcome.WARNING for row in rows(cluster)[1].values())

    assert poll(told, Deadline(PATIENCE))  # who was to be reached has refused the cookie, and prints that


def test_a_cookie_that_was_changed_later_is_found(system: System) -> None:
    cluster = up(system, 1, name="other")
    cluster["node1"].call("erlang", "set_cookie", [Atom("another")])
    _, found = rows(cluster)

    assert bad(found["node1"]) == {"cookie"}
    assert "refuses this cookie" in found["node1"]["cookie"].evidence
    assert found["node1"]["cookie"].remedies[0] == "invoke cluster.restart node1 --name other"


def test_a_server_that_hangs_and_an_application_that_stopped_are_found(project: Path, system: System) -> None:
    need("erlc", "erlang-base")
    ebin = project / "ebin"
    ebin.mkdir()
    (project / "shop.erl").write_text(SHOP)
    (ebin / "shop.app").write_text(
        '{application, shop, [{vsn, "1"}, {modules, [shop]}, {registered, [counter]},'
        " {applications, [kernel, stdlib]}, {mod, {shop, []}}]}."
    )
    subprocess.run(["erlc", "-o", str(ebin), str(project / "shop.erl")], check=True, timeout=PATIENCE)
    overrides = {"beam.applications": ["shop"], "beam.path": ["ebin"]}
    cluster = up(system, 2, overrides=overrides)
    assert rows(cluster)[0].healthy

    cluster["node1"].call("gen_server", "cast", [Atom("counter"), Atom("hang")])
    cluster["node2"].call("application", "stop", [Atom("shop")])
    _, found = rows(cluster)

    assert bad(found["node1"]) == {"serving"}
    assert found["node1"]["serving"].evidence == "no sign of life from counter"
    assert bad(found["node2"]) == {"applications"}
    assert found["node2"]["applications"].evidence == "not running: shop"
    assert found["node2"]["applications"].remedies


def test_looking_at_a_cluster_all_day_makes_hardly_an_atom_and_leaves_no_process(system: System) -> None:
    cluster = up(system, 2)
    node = cluster["node1"]

    def counted(what: str) -> int:
        found: int = node.call("erlang", "system_info", [Atom(what)])
        return found

    rows(cluster)
    atoms, processes = counted("atom_count"), counted("process_count")
    for _ in range(50):
        assert rows(cluster)[0].healthy
        cluster["node2"].ping()

    assert counted("atom_count") - atoms <= 100
    assert poll(lambda: counted("process_count") <= processes, Deadline(PATIENCE))
