"""The processes of all nodes of a cluster of Erlang nodes, one of which is in trouble."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import clusterlib
from clusterlib.client.processes import ask_nodes, owner_of
from clusterlib.drivers.beam.terms import Atom, Pid
from clusterlib.drivers.processes import Spawning
from clusterlib.errors import NodeUnavailable, ProcessGone, UsageError
from clusterlib.hosts.proc import marked
from clusterlib.messages.processes import ProcessOrder
from clusterlib.messages.states import NodeState
from clusterlib.waiting import Deadline, poll
from tests.systems.beam_nodes import PATIENCE, stop_for_good
from tests.systems.installed import need

SECONDS = 20.0


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[clusterlib.Cluster]:
    need("erl", "erlang-base")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    monkeypatch.chdir(tmp_path)
    for variable in ("CLUSTERLIB_NAME", "CLUSTERLIB_PROJECT", "CLUSTERLIB_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    with clusterlib.up("beam", nodes=3) as cluster:
        marker = cluster.status().marker
        yield cluster
        cluster.down()
    assert poll(lambda: not marked(marker), Deadline(PATIENCE)), "processes are left"


def named(cluster: clusterlib.Cluster, node: str, name: str) -> str:
    """A process on the node, registered there alone."""
    pid = cluster[node].call("proc_lib", "spawn", [Atom("timer"), Atom("sleep"), [Atom("infinity")]])
    assert isinstance(pid, Pid)
    cluster[node].call("erlang", "register", [Atom(name), pid])
    return f"{node}.0.{pid.id}.{pid.serial}"


def test_a_process_is_found_whichever_node_it_is_on(cluster: clusterlib.Cluster) -> None:
    process = named(cluster, "node3", "grüße")

    assert owner_of(cluster, "grüße").process == process
    assert owner_of(cluster, "grüße").node.name == "node3"
    assert owner_of(cluster, process).node.name == "node3"
    with pytest.raises(ProcessGone):
        owner_of(cluster, "grüße", node="node1")

    owner = owner_of(cluster, process)
    owner.node.ask_processes(lambda calls: calls.kill(process, "the test wants it", SECONDS))
    with pytest.raises(ProcessGone):
        owner_of(cluster, "grüße")


def test_a_name_of_several_nodes_is_refused_unless_the_node_is_named(cluster: clusterlib.Cluster) -> None:
    named(cluster, "node1", "cart")
    second = named(cluster, "node2", "cart")

    with pytest.raises(UsageError, match="several nodes have a process with the name 'cart'") as caught:
        cluster.processes.kill("cart")
    assert f"{second} on node2" in caught.value.evidence
    cluster.processes.kill("cart", node="node2")

    assert owner_of(cluster, "cart").node.name == "node1"


def test_the_operations_work_on_erlang_nodes_as_on_others(cluster: clusterlib.Cluster) -> None:
    started = cluster.processes.start("timer:sleep", "infinity", registered="tea", prefer="node3")

    shown = cluster.processes.show("tea").process
    listed = cluster.processes.list(order="memory", limit=5)
    trees = {node.node: [tree.name for tree in node.trees] for node in cluster.processes.tree().nodes}
    names = {one.name: (one.process, one.node, one.others) for one in cluster.processes.names().names}

    assert started.node == "node3"
    assert (shown.row.id, shown.row.function) == (started.process, "timer:sleep/1")
    assert len(listed.processes) == 5
    assert {node.node for node in listed.nodes} == {"node1", "node2", "node3"}
    assert all("kernel" in applications for applications in trees.values())
    assert names == {"tea": (started.process, "node3", ())}
    registered = {(one.registry, one.name, one.node): one for one in cluster.processes.registries().names}
    assert registered["global", "tea", "node3"].seen_by == ("node1", "node2", "node3")
    assert registered["local", "rex", "node2"].seen_by == ("node2",)
    cluster.processes.suspend("tea")
    cluster.processes.send("tea", '{add, <<"milk">>, [1, 2]}')
    assert cluster.processes.show("tea").process.waiting == ('{add,<<"milk">>,[1,2]}',)
    cluster.processes.resume("tea")
    cluster.processes.collect_garbage("tea")
    cluster.processes.kill("tea")
    with pytest.raises(ProcessGone):
        cluster.processes.show("tea")


def test_a_killed_and_a_stopped_node_are_reported_and_the_others_answer(cluster: clusterlib.Cluster) -> None:
    process = named(cluster, "node2", "till")
    named(cluster, "node1", "cart")
    pid = cluster["node3"].pid
    assert pid is not None
    cluster["node2"].kill()
    stop_for_good(pid)

    answers = ask_nodes(cluster, lambda calls: calls.busiest(ProcessOrder.MEMORY, 5, None, 1.0))

    assert set(answers.of) == {"node1"}
    assert {one.node: one.state for one in answers.unasked}["node2"] is NodeState.DEAD
    assert {one.node for one in answers.unasked} == {"node2", "node3"}
    assert owner_of(cluster, "cart").node.name == "node1"
    with pytest.raises(NodeUnavailable):
        cluster["node2"].ask_processes(lambda calls: calls.detail(process, SECONDS))


def test_a_name_in_all_the_cluster_follows_its_process(cluster: clusterlib.Cluster) -> None:
    wanted = Spawning("timer:sleep", (Atom("infinity"),), name="cart:42", prefer="node2")

    process = cluster["node1"].ask_processes(lambda calls: calls.spawn(wanted, SECONDS))

    assert process.startswith("node2.0.")
    for node in cluster:
        assert node.ask_processes(lambda calls: calls.where("cart:42", SECONDS)) == (process, "node2")
    cluster["node2"].kill()

    def known() -> bool:
        return "cart:42" in cluster["node1"].ask_processes(lambda calls: calls.names(SECONDS))

    assert poll(lambda: not known(), Deadline(PATIENCE))
